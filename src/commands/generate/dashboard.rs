//! The dashboard: rows of panels, each with what Prometheus is asked.

use serde_json::{Value, json};

/// One panel. A legend names a series by its labels.
struct Panel {
    title: &'static str,
    /// What it means when it is not as usual.
    help: &'static str,
    unit: &'static str,
    /// Expression and legend.
    series: &'static [(&'static str, &'static str)],
}

const WIDTH: usize = 24;
const PANEL_WIDTH: usize = 8;
const PANEL_HEIGHT: usize = 7;
const ROW_HEIGHT: usize = 1;

const ROWS: [(&str, &[Panel]); 5] = [
    ("Is everything safe?", &SAFETY),
    ("Writing", &WRITING),
    ("Backends", &BACKENDS),
    ("The log", &LOG),
    ("Questions and the process", &REST),
];

const SAFETY: [Panel; 3] = [
    Panel {
        title: "Points lost",
        help: "Acknowledged and gone. Must be 0; else the backends concerned are marked incomplete.",
        unit: "short",
        series: &[(
            "sum by (instance, way) (increase(circlet_lost_points_total{job=~\"$job\"}[$__rate_interval]))",
            "{{instance}} {{way}}",
        )],
    },
    Panel {
        title: "Ready, backends up, backends incomplete",
        help: "Ready is 0 while writes are refused as a whole. An incomplete backend may lack points that other circles have.",
        unit: "short",
        series: &[
            ("circlet_ready{job=~\"$job\"}", "{{instance}} ready"),
            ("sum by (instance, circle) (circlet_backend_up{job=~\"$job\"})", "{{circle}} up"),
            (
                "sum by (instance, circle) (circlet_backend_incomplete{job=~\"$job\"})",
                "{{circle}} incomplete",
            ),
        ],
    },
    Panel {
        title: "Writes refused for want of room",
        help: "Clients keep these lines and try again.",
        unit: "reqps",
        series: &[(
            "sum by (instance, reason) (rate(circlet_writes_refused_total{job=~\"$job\"}[$__rate_interval]))",
            "{{instance}} {{reason}}",
        )],
    },
];

const WRITING: [Panel; 6] = [
    Panel {
        title: "Lines accepted",
        help: "Safe in the log of the gateway.",
        unit: "cps",
        series: &[(
            "sum by (instance) (rate(circlet_lines_accepted_total{job=~\"$job\"}[$__rate_interval]))",
            "{{instance}}",
        )],
    },
    Panel {
        title: "Answers",
        help: "By status code, over all endpoints.",
        unit: "reqps",
        series: &[(
            "sum by (code) (rate(circlet_http_requests_total{job=~\"$job\"}[$__rate_interval]))",
            "{{code}}",
        )],
    },
    Panel {
        title: "How long a write takes, 99 of 100",
        help: "check: reading and checking; commit: until it is on stable storage; confirm: until backends have it; write: the whole request.",
        unit: "s",
        series: &[(
            "max by (stage) (circlet_stage_duration_seconds{job=~\"$job\",quantile=\"0.99\"})",
            "{{stage}}",
        )],
    },
    Panel {
        title: "Bytes of requests",
        help: "As they came, compressed or not.",
        unit: "Bps",
        series: &[(
            "sum by (encoding) (rate(circlet_http_request_bytes_total{job=~\"$job\"}[$__rate_interval]))",
            "{{encoding}}",
        )],
    },
    Panel {
        title: "Malformed lines, refused requests",
        help: "Lines that did not pass the check, and requests that reached no endpoint.",
        unit: "cps",
        series: &[
            (
                "sum by (reason) (rate(circlet_lines_rejected_total{job=~\"$job\"}[$__rate_interval]))",
                "lines {{reason}}",
            ),
            (
                "sum by (reason) (rate(circlet_http_rejected_total{job=~\"$job\"}[$__rate_interval]))",
                "requests {{reason}}",
            ),
        ],
    },
    Panel {
        title: "Connections of clients",
        help: "Open now.",
        unit: "short",
        series: &[("sum by (instance) (circlet_http_connections{job=~\"$job\"})", "{{instance}}")],
    },
];

const BACKENDS: [Panel; 6] = [
    Panel {
        title: "Age of the backlog",
        help: "How old the oldest line is that a backend has not confirmed.",
        unit: "s",
        series: &[(
            "max by (circle, backend) (circlet_backend_backlog_age_seconds{job=~\"$job\"})",
            "{{circle}}/{{backend}}",
        )],
    },
    Panel {
        title: "Backlog",
        help: "Bytes of lines that a backend has not confirmed, parked ones included.",
        unit: "bytes",
        series: &[(
            "sum by (circle, backend) (circlet_backend_backlog_bytes{job=~\"$job\"})",
            "{{circle}}/{{backend}}",
        )],
    },
    Panel {
        title: "Lines confirmed",
        help: "By each backend.",
        unit: "cps",
        series: &[(
            "sum by (backend) (rate(circlet_backend_lines_total{job=~\"$job\"}[$__rate_interval]))",
            "{{backend}}",
        )],
    },
    Panel {
        title: "Requests to backends",
        help: "done: all stored; refused: some lines are in the rejects now; later: tried again; parked: the database is missing there.",
        unit: "reqps",
        series: &[(
            "sum by (outcome) (rate(circlet_backend_writes_total{job=~\"$job\"}[$__rate_interval]))",
            "{{outcome}}",
        )],
    },
    Panel {
        title: "Rejects",
        help: "Lines and statements that a backend refused for good.",
        unit: "short",
        series: &[(
            "sum by (backend, reason) (increase(circlet_rejects_total{job=~\"$job\"}[$__rate_interval]))",
            "{{backend}} {{reason}}",
        )],
    },
    Panel {
        title: "Databases that wait",
        help: "Databases that a backend lacks, or may not write: their lines wait.",
        unit: "short",
        series: &[(
            "max by (circle, backend) (circlet_backend_parked_databases{job=~\"$job\"})",
            "{{circle}}/{{backend}}",
        )],
    },
];

const LOG: [Panel; 3] = [
    Panel {
        title: "Log on disk, free space",
        help: "Below the first watermark no file is made ahead; below min_free the policy of on_full holds.",
        unit: "bytes",
        series: &[
            ("sum by (instance) (circlet_wal_disk_bytes{job=~\"$job\"})", "{{instance}} log"),
            ("circlet_disk_free_bytes{job=~\"$job\"}", "{{instance}} free"),
            ("circlet_disk_min_free_bytes{job=~\"$job\"}", "{{instance}} min_free"),
        ],
    },
    Panel {
        title: "Appended",
        help: "Bytes of frames brought to stable storage.",
        unit: "Bps",
        series: &[(
            "sum by (instance) (rate(circlet_wal_appended_bytes_total{job=~\"$job\"}[$__rate_interval]))",
            "{{instance}}",
        )],
    },
    Panel {
        title: "Group commits, failures",
        help: "Frames a second, and commits that the disk refused twice.",
        unit: "cps",
        series: &[
            (
                "sum by (instance) (rate(circlet_wal_frames_total{job=~\"$job\"}[$__rate_interval]))",
                "{{instance}} frames",
            ),
            (
                "sum by (instance) (rate(circlet_wal_failures_total{job=~\"$job\"}[$__rate_interval]))",
                "{{instance}} failures",
            ),
        ],
    },
];

const REST: [Panel; 3] = [
    Panel {
        title: "Questions",
        help: "By outcome, and those that went on to another circle.",
        unit: "reqps",
        series: &[
            (
                "sum by (language, outcome) (rate(circlet_queries_total{job=~\"$job\"}[$__rate_interval]))",
                "{{language}} {{outcome}}",
            ),
            (
                "sum (rate(circlet_query_failovers_total{job=~\"$job\"}[$__rate_interval]))",
                "to another circle",
            ),
        ],
    },
    Panel {
        title: "Shards busy",
        help: "Share of the last second that the thread of a shard was busy.",
        unit: "percentunit",
        series: &[("circlet_shard_busy_ratio{job=~\"$job\"}", "{{instance}} {{shard}}")],
    },
    Panel {
        title: "Memory",
        help: "In use, without the holes that the allocator keeps.",
        unit: "bytes",
        series: &[("circlet_memory_used_bytes{job=~\"$job\"}", "{{instance}}")],
    },
];

pub fn dashboard() -> Value {
    json!({
        "uid": "circlet",
        "title": "Circlet",
        "tags": ["circlet", "influxdb"],
        "schemaVersion": 38,
        "version": 1,
        "editable": true,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [
            {
                "name": "source", "label": "Data source", "type": "datasource", "query": "prometheus",
            },
            {
                "name": "job", "label": "Job", "type": "query", "refresh": 2, "multi": true,
                "includeAll": true, "allValue": ".*", "current": {"text": "All", "value": "$__all"},
                "datasource": source(), "query": "label_values(circlet_build_info, job)",
            },
        ]},
        "panels": panels(),
    })
}

fn source() -> Value {
    json!({"type": "prometheus", "uid": "${source}"})
}

/// Row after row, three panels beside each other.
fn panels() -> Vec<Value> {
    let mut all = Vec::new();
    let mut top = 0;
    for (title, row) in ROWS {
        let place = json!({"x": 0, "y": top, "w": WIDTH, "h": ROW_HEIGHT});
        all.push(json!({"type": "row", "title": title, "collapsed": false, "gridPos": place}));
        top += ROW_HEIGHT;
        for (at, panel) in row.iter().enumerate() {
            let (line, column) = (at / (WIDTH / PANEL_WIDTH), at % (WIDTH / PANEL_WIDTH));
            let place = json!({
                "x": column * PANEL_WIDTH, "y": top + line * PANEL_HEIGHT,
                "w": PANEL_WIDTH, "h": PANEL_HEIGHT,
            });
            all.push(panel.json(&place));
        }
        top += row.len().div_ceil(WIDTH / PANEL_WIDTH) * PANEL_HEIGHT;
    }
    for (at, panel) in all.iter_mut().enumerate() {
        panel["id"] = json!(at + 1);
    }
    all
}

impl Panel {
    fn json(&self, place: &Value) -> Value {
        let target = |(at, (expression, legend)): (usize, &(&str, &str))| {
            let letter = char::from(b'A' + u8::try_from(at).expect("few series a panel"));
            json!({
                "refId": letter.to_string(), "datasource": source(), "expr": expression,
                "legendFormat": legend,
            })
        };
        let targets: Vec<Value> = self.series.iter().enumerate().map(target).collect();
        json!({
            "type": "timeseries",
            "title": self.title,
            "description": self.help,
            "gridPos": place,
            "datasource": source(),
            "fieldConfig": {"defaults": {"unit": self.unit, "min": 0}, "overrides": []},
            "options": {
                "legend": {"displayMode": "list", "placement": "bottom"},
                "tooltip": {"mode": "multi"},
            },
            "targets": targets,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_do_not_overlap_and_have_an_identity_each() {
        let panels = panels();
        let number = |panel: &Value, key: &str| panel["gridPos"][key].as_u64().unwrap();
        for (at, panel) in panels.iter().enumerate() {
            assert!(number(panel, "x") + number(panel, "w") <= WIDTH as u64);
            for other in &panels[..at] {
                assert_ne!(panel["id"], other["id"]);
                let beside = number(panel, "x") >= number(other, "x") + number(other, "w")
                    || number(other, "x") >= number(panel, "x") + number(panel, "w");
                let below = number(panel, "y") >= number(other, "y") + number(other, "h");
                assert!(beside || below, "{panel} lies over {other}");
            }
        }
    }
}
