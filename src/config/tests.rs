//! Laws of the configuration.

use std::io::Write;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ring::Placement;

const EXAMPLE: &str = include_str!("../../circlet.example.toml");

/// What the rest of a file needs to be sound.
const CIRCLE: &str = r#"
[[circle]]
name = "c"
[[circle.backend]]
name = "b"
url = "http://127.0.0.1:8086"
kind = "influxdb1"
"#;

fn environment(variables: &[(&str, &str)]) -> Environment {
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Environment { variables: variables.collect(), cores: 3 }
}

fn parse(text: &str) -> Result<Config, Refusal> {
    Config::parse("f", text, &environment(&[("SECRET", "s3cret"), ("EMPTY", "")]))
}

fn with_circle(text: &str) -> Result<Config, Refusal> {
    parse(&format!("listen = \"127.0.0.1:1\"\ndata_dir = \"d\"\n{text}\n{CIRCLE}"))
}

/// Path and text of each problem.
fn problems(text: &str) -> Vec<String> {
    let refusal = parse(text).unwrap_err();
    refusal.problems().iter().map(|told| format!("{}: {}", told.path, told.what)).collect()
}

/// The same for a backend with these lines.
fn backend_problems(lines: &str) -> Vec<String> {
    problems(&format!(
        "listen = \"127.0.0.1:1\"\ndata_dir = \"d\"\n[[circle]]\nname = \"c\"\n\
         [[circle.backend]]\nname = \"b\"\n{lines}"
    ))
}

fn secret_file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn the_example_is_sound_and_has_the_documented_defaults() {
    let config = parse(EXAMPLE).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.shards, 3);
    assert_eq!(config.auth, Auth::Open);
    assert_eq!(config.backends.len(), 4);
    assert_eq!(config.backends[2].name, "influxdb-2-1");
    assert_eq!((config.backends[1].circle, config.backends[2].circle), (0, 1));
    assert_eq!(config.backends[3].authority(), "127.0.0.1:8089");
    assert_eq!(config.plan.placement, Placement::InfluxProxy);
    assert_eq!(config.plan.circles[1].backends[1].url, "http://127.0.0.1:8089");
    assert_eq!(config.naming.default_org(), "default");
    assert_eq!(config.write.ack, Ack::Delivered);
    assert_eq!(config.write.ack_wait, Duration::from_secs(3));
    assert_eq!(config.server.body_bytes_max, 25_000_000);
    assert_eq!(config.server.inflated_body_bytes_max, 100 << 20);
    assert_eq!(config.server.body_rate_min, 1024);
    assert_eq!(config.server.connections_per_address_max, None);
    assert_eq!(config.query.queries_max, 64);
    assert_eq!(config.log.segment_bytes, None);
    assert_eq!(config.log.hot_window_bytes, 40 << 20);
    assert!(!config.debug_headers);
}

#[test]
fn ten_mistakes_are_told_at_once_with_their_places_and_mends() {
    let text = include_str!("../../tests/vectors/config_ten_mistakes.toml");
    let expected = include_str!("../../tests/vectors/config_ten_mistakes.txt");
    let refusal = Config::parse("mistakes.toml", text, &environment(&[])).unwrap_err();
    assert_eq!(refusal.problems().len(), 10);
    assert_eq!(format!("{refusal}\n"), expected);
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let refusal = parse("listen = \"a\"\ndata_dir = nothing\n").unwrap_err();
    assert_eq!(refusal.problems().len(), 1);
    let told = &refusal.problems()[0];
    assert_eq!((told.line, told.column), (2, 12));
    assert!(told.what.starts_with("not TOML: "), "{}", told.what);
    assert_eq!(problems("a = 1\na = 2")[0], ": not TOML: duplicate key");
    // A key that is not there, and a table in its place: the parser once ended the process here.
    assert!(problems("=={\n.")[0].starts_with(": not TOML: "));
}

#[test]
fn without_a_file_there_are_two_circles_of_embedded_stores() {
    let config = Config::built_in(&environment(&[]));
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((config.shards, config.plan.circles.len()), (3, 2));
    assert_eq!(config.backends.len(), 4);
    for backend in &config.backends {
        assert_eq!((backend.kind, backend.host.as_str()), (Kind::Embedded, "127.0.0.1"));
        assert_eq!(backend.credentials, Credentials::None);
    }
    assert_eq!(config.plan.circles[1].backends[0].url, "embedded/store-2-1");
    assert_eq!(config.store, StoreConfig::default());
    let page = include_str!("../../docs/config.md");
    let built_in = include_str!("built_in.toml").split_once('\n').unwrap().1;
    assert!(page.contains(built_in), "docs/config.md shows the built-in configuration");
}

#[test]
fn an_embedded_store_is_nothing_but_that() {
    let b = "circle[0].backend[0]";
    let of = |lines: &str| backend_problems(&format!("url = \"embedded\"\n{lines}"));
    assert_eq!(of("kind = \"influxdb1\""), [format!("{b}: an embedded store has no other kind")]);
    assert_eq!(of("token = \"t\""), [format!("{b}: an embedded store takes no credentials")]);
    let other = backend_problems("url = \"http://h:1\"\nkind = \"embedded\"");
    assert_eq!(other, [format!("{b}.url: a server of its own is not embedded")]);
    let limits = with_circle("[embedded]\nmax_series = 5\nquery_timeout = \"3s\"").unwrap().store;
    assert_eq!((limits.series_max, limits.query_timeout), (5, Some(Duration::from_secs(3))));
    assert!(with_circle("[embedded]\nmax_queries = 0").is_err());
}

#[test]
fn an_empty_file_lacks_an_address_a_directory_and_a_circle() {
    assert_eq!(problems(""), ["listen: missing", "data_dir: missing", "circle: no circle"]);
}

#[test]
fn a_file_that_is_not_there_is_a_problem_like_any_other() {
    let path = std::path::Path::new("no/such/file.toml");
    let refusal = Config::load(path, &environment(&[])).unwrap_err();
    let text = refusal.to_string();
    assert!(
        text.starts_with("no/such/file.toml:1:1: cannot read the file: No such file"),
        "{text}"
    );
}

#[test]
fn variables_fill_strings_and_only_strings() {
    let auth = "[auth]\ntokens = [\"${SECRET}\", \"${NONE:-other}\", \"$${x}\"]";
    let tokens = ["s3cret", "other", "${x}"].map(Secret::new).to_vec();
    assert_eq!(with_circle(auth).unwrap().auth, Auth::of_secrets(tokens));
    // A value with TOML in it stays a value.
    let sneaky = environment(&[("DIR", "d\"\n[debug]\nheaders = true\n#")]);
    let text = format!("listen = \"127.0.0.1:1\"\ndata_dir = \"${{DIR}}\"\n{CIRCLE}");
    assert!(!Config::parse("f", &text, &sneaky).unwrap().debug_headers);
    let refusal = with_circle("[defaults]\norg = \"${NONE}\"").unwrap_err();
    assert_eq!(refusal.problems()[0].what, "variable NONE is not set");
}

#[test]
fn secrets_are_read_from_files_and_never_shown() {
    let tokens = secret_file("# those of the writers\n first \n\nsecond\n");
    let token = secret_file("of-a-file\n");
    let text = format!(
        "listen = \"0.0.0.0:1\"\ndata_dir = \"d\"\n[auth]\ntokens = [\"zeroth\"]\n\
         tokens_file = \"{}\"\n[[circle]]\nname = \"c\"\n[[circle.backend]]\nname = \"b\"\n\
         url = \"http://h:1\"\nkind = \"influxdb2\"\ntoken_file = \"{}\"\n",
        tokens.path().display(),
        token.path().display(),
    );
    let config = parse(&text).unwrap();
    let expected = ["zeroth", "first", "second"].map(Secret::new).to_vec();
    assert_eq!(config.auth, Auth::of_secrets(expected));
    assert_eq!(config.backends[0].credentials, Credentials::Token(Secret::new("of-a-file")));
    let shown = format!("{config:?}");
    assert!(["zeroth", "first", "of-a-file"].iter().all(|secret| !shown.contains(secret)));
    // Two keys for one secret, a file that is not there, a secret that would break a header.
    let found = backend_problems(
        "url = \"http://h:1\"\nkind = \"influxdb1\"\nusername = \"u\"\nusername_file = \"x\"\n\
         password_file = \"/no/such/file\"\n",
    );
    assert_eq!(found[0], "circle[0].backend[0].username_file: both username and username_file");
    assert!(found[1].contains("password_file: cannot read \"/no/such/file\": No such file"));
    let found = backend_problems("url = \"http://h:1\"\nkind = \"influxdb1\"\ntoken = \"a\\nb\"\n");
    assert_eq!(found, ["circle[0].backend[0].token: a control character in it"]);
}

#[test]
fn a_gateway_without_tokens_listens_on_loopback_only() {
    let of = |listen: &str, auth: &str| {
        parse(&format!("listen = \"{listen}\"\ndata_dir = \"d\"\n{auth}\n{CIRCLE}"))
            .map(|config| config.listen.to_string())
            .map_err(|refusal| refusal.problems()[0].what.clone())
    };
    assert_eq!(of("localhost:80", "").unwrap(), "127.0.0.1:80");
    assert_eq!(of("[::1]:80", "").unwrap(), "[::1]:80");
    assert_eq!(of("0.0.0.0:80", "[auth]\ntokens = [\"t\"]").unwrap(), "0.0.0.0:80");
    let open = "0.0.0.0 is open to others, and there is no [auth]";
    assert_eq!(of("0.0.0.0:80", "").unwrap_err(), open);
    assert_eq!(of("127.0.0.1:80", "[auth]").unwrap_err(), "no token in it, so nobody could write");
    assert_eq!(of(":80", "").unwrap_err(), "\":80\" is no address to listen on");
}

#[test]
fn credentials_fit_the_kind_and_are_whole() {
    let of = |lines: &str| backend_problems(&format!("url = \"http://h:1\"\n{lines}"));
    let b = "circle[0].backend[0]";
    assert_eq!(of("kind = \"influxdb2\""), [format!("{b}.token: missing; influxdb2 demands one")]);
    assert_eq!(
        of("kind = \"influxdb2\"\nusername = \"u\"\npassword = \"p\""),
        [format!("{b}: influxdb2 takes a token, no password")]
    );
    assert_eq!(
        of("kind = \"influxdb1\"\nusername = \"u\""),
        [format!("{b}.password: missing beside username")]
    );
    assert_eq!(
        of("kind = \"influxdb1\"\npassword = \"p\""),
        [format!("{b}.username: missing beside password")]
    );
    assert_eq!(
        of("kind = \"influxdb3\"\ntoken = \"t\"\nusername = \"u\""),
        [format!("{b}: both a token and a username or password")]
    );
    // A broken half is one problem, not two.
    assert_eq!(
        of("kind = \"influxdb1\"\nusername = \"u\"\npassword = \"${NONE}\""),
        [format!("{b}.password: variable NONE is not set")]
    );
}

#[test]
fn names_urls_and_circles_are_unique() {
    let text = "listen = \"127.0.0.1:9\"\ndata_dir = \"d\"\n\
        circle = [{name = \"c\", backend = [\
          {name = \"b\", url = \"http://localhost:1\", kind = \"influxdb1\"},\
          {name = \"b\", url = \"http://127.0.0.1:1/\", kind = \"influxdb1\"},\
          {name = \"../x\", url = \"http://127.0.0.1:9\", kind = \"influxdb1\"}]},\
        {name = \"c\"}]";
    assert_eq!(
        problems(text),
        [
            "circle[0].backend[1].name: \"b\" is also the name of circle[0].backend[0]",
            "circle[0].backend[1].url: the same server as circle[0].backend[0].url",
            "circle[0].backend[2].name: \"../x\" does not fit a file name",
            "circle[0].backend[2].url: the address that this gateway listens on",
            "circle[1].backend: no backend",
            "circle[1].name: \"c\" is also the name of circle[0]",
        ]
    );
}

#[test]
fn the_default_keys_follow_the_kinds_and_the_algorithm() {
    let of = |kinds: [&str; 2], placement: &str| {
        let backend = |(index, kind): (usize, &&str)| {
            format!(
                "[[circle.backend]]\nname = \"b{index}\"\nurl = \"http://h:{}\"\n\
                 kind = \"{kind}\"\ntoken = \"t\"\n",
                index + 1
            )
        };
        let backends: String = kinds.iter().enumerate().map(backend).collect();
        let text = format!(
            "listen = \"127.0.0.1:9\"\ndata_dir = \"d\"\n{placement}\n[[circle]]\nname = \"c\"\n\
             {backends}"
        );
        let plan = parse(&text).unwrap().plan;
        format!("{} {} {}", plan.placement, plan.hash_key, plan.shard_key.text())
    };
    let (one, two) = (["influxdb1", "influxdb2"], ["influxdb2", "influxdb2"]);
    assert_eq!(of(one, ""), "influx-proxy %idx %db,%mm");
    assert_eq!(of(two, ""), "influx-proxy %idx %org,%bk,%mm");
    assert_eq!(of(two, "[placement]\nalgorithm = \"even\""), "even name %org,%bk,%mm");
    let written = "[placement]\nhash_key = \"n-%idx\"\nshard_key = \"%mm\"";
    assert_eq!(of(one, written), "influx-proxy n-%idx %mm");
}

#[test]
fn a_renamed_bucket_is_not_renamed_again() {
    let refusal = with_circle(
        "dbrp = [{database = \"a\", bucket = \"b\"}, {database = \"b\", bucket = \"c\"},\
         {database = \"a\", retention_policy = \"autogen\", bucket = \"x\"},\
         {database = \"d/e\", bucket = \"d\", org = \"0123456789abcdef\"}]",
    )
    .unwrap_err();
    let told: Vec<&str> = refusal.problems().iter().map(|told| &*told.what).collect();
    assert_eq!(
        told,
        [
            "bucket \"b\" is renamed by another row",
            "the same database and retention policy as dbrp[0]",
            "a \"/\" in the name of a database",
            "\"0123456789abcdef\" is an id, which differs from server to server",
        ]
    );
    let long = format!("dbrp = [{{database = \"a\", bucket = \"{}\"}}]", "b".repeat(513));
    assert_eq!(with_circle(&long).unwrap_err().problems()[0].what, "longer than 512 bytes");
    let row = "[[dbrp]]\ndatabase = \"a\"\nbucket = \"b/c\"\norg = \"o\"";
    let target = with_circle(row).unwrap().naming.v1("a", None);
    assert_eq!((&*target.org, &*target.bucket()), ("o", "b/c"));
}

#[test]
fn values_out_of_range_or_out_of_relation_are_told() {
    let of = |text: &str| {
        let refusal = with_circle(text).unwrap_err();
        let told = refusal.problems().iter();
        told.map(|told| format!("{}: {} | {}", told.path, told.what, told.mend)).collect::<Vec<_>>()
    };
    assert_eq!(of("shards = 0"), ["shards: 0 is out of range | choose from 1 to 1024"]);
    assert_eq!(
        of("[query]\nmax_queries = 0"),
        ["query.max_queries: 0 is out of range | choose from 1 to 10000"]
    );
    assert_eq!(
        of("[server]\nmin_body_rate = \"2GiB\"\nmax_connections_per_address = 0"),
        [
            "server.min_body_rate: \"2GiB\" is out of range | choose from 0B to 1GiB",
            "server.max_connections_per_address: 0 is out of range | choose from 1 to 1000000",
        ]
    );
    assert_eq!(
        of("[write]\nack_wait = \"1ms\"\nretry_min = \"2m\""),
        [
            "write.ack_wait: \"1ms\" is out of range | choose from 10ms to 10m",
            "write.retry_min: \"2m\" is out of range | choose from 10ms to 1m",
        ]
    );
    assert_eq!(
        of("[write]\nretry_min = \"40s\""),
        ["write.retry_min: longer than retry_max | lower retry_min or raise retry_max"]
    );
    assert_eq!(
        of("[server]\nmemory = \"8MiB\""),
        ["server.memory: less than one body of max_body | raise memory or lower max_body"]
    );
    assert_eq!(of("[log]\nsync = 3"), ["log.sync: is an integer | write a string"]);
}

/// A certificate and its key in files.
fn pair() -> [tempfile::NamedTempFile; 2] {
    let made = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
    [secret_file(&made.cert.pem()), secret_file(&made.signing_key.serialize_pem())]
}

#[test]
fn certificates_are_read_and_compared_when_the_file_is_checked() {
    let ([certificate, key], [second, other]) = (pair(), pair());
    let of = |certificate: &std::path::Path, key: &std::path::Path| {
        let text = format!("[tls]\ncert_file = {certificate:?}\nkey_file = {key:?}");
        with_circle(&text).map(|config| config.tls.is_some()).map_err(|refusal| {
            let told = &refusal.problems()[0];
            format!("{}: {}", told.path, told.what)
        })
    };
    let (certificate, key, other) = (certificate.path(), key.path(), other.path());
    assert_eq!(of(certificate, key), Ok(true));
    let told = of(certificate, other).unwrap_err();
    assert!(told.starts_with("tls.key_file: "), "{told}");
    assert!(told.ends_with(": the key is not the one of the certificate"), "{told}");
    let told = of(certificate, second.path()).unwrap_err();
    assert!(told.starts_with("tls.key_file: ") && told.ends_with("no private key in it"), "{told}");
    let told = of(key, key).unwrap_err();
    assert!(
        told.starts_with("tls.cert_file: ") && told.ends_with("no certificate in it"),
        "{told}"
    );
    let told = of(std::path::Path::new("/nowhere.pem"), key).unwrap_err();
    assert!(told.starts_with("tls.cert_file: /nowhere.pem: No such file"), "{told}");
}

#[test]
fn keys_of_tls_belong_to_an_https_backend() {
    let b = "circle[0].backend[0]";
    let of = |url: &str, lines: &str| {
        backend_problems(&format!("url = \"{url}\"\nkind = \"influxdb1\"\n{lines}"))
    };
    let [certificate, _] = pair();
    let ca = format!("tls_ca_file = {:?}", certificate.path());
    let plain = of("http://h:1", &ca);
    assert_eq!(plain, [format!("{b}.tls_ca_file: there is no TLS to this backend")]);
    let half = of("https://h:1", &format!("{ca}\ntls_key_file = \"k\""));
    assert_eq!(half, [format!("{b}: a certificate and its key come together")]);
    let name = of("https://h:1", &format!("{ca}\ntls_server_name = \"a b\""));
    assert_eq!(name, [format!("{b}.tls_server_name: a b is no name of a server")]);
    let file = of("https://h:1", "tls_ca_file = \"/nowhere.pem\"");
    assert!(file[0].starts_with(&format!("{b}.tls_ca_file: /nowhere.pem: ")), "{file:?}");
}

#[test]
fn every_key_stands_in_the_manual() {
    const MANUAL: &str = include_str!("../../docs/config.md");
    let sections = [
        "",
        "[admin]",
        "[auth]",
        "[tls]",
        "[placement]",
        "[defaults]",
        "[server]",
        "[write]",
        "[log]",
        "[query]",
        "[probe]",
        "[debug]",
        "[[dbrp]]",
        "[[circle]]",
        "[[circle]]\n[[circle.backend]]",
    ];
    let mut keys = 0;
    for section in sections {
        let refusal = parse(&format!("{section}\nno_such_key_at_all = 1")).unwrap_err();
        let told = refusal.problems().iter().find(|told| told.what == "unknown key").unwrap();
        let known = told.mend.strip_prefix("known here: ").unwrap();
        for key in known.split(", ") {
            assert!(MANUAL.contains(&format!("| `{key}` |")), "{section} {key}");
            keys += 1;
        }
        let header = section.lines().last().unwrap_or_default();
        assert!(MANUAL.contains(&format!("`{header}`")) || header.is_empty(), "{header}");
    }
    assert!(keys > 50, "{keys}");
}

fn survives(text: &str) -> Result<(), TestCaseError> {
    if let Err(refusal) = parse(text) {
        prop_assert!(!refusal.problems().is_empty(), "refused without a reason");
        prop_assert!(!refusal.to_string().is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        survives(&text)?;
    }

    #[test]
    fn no_change_of_the_example_makes_it_panic(
        changes in prop::collection::vec((0..EXAMPLE.len(), 0..40_usize, "[ -~\n\u{e9}]{0,6}"), 1..4)
    ) {
        let mut text = EXAMPLE.to_owned();
        for (start, length, new) in changes {
            let start = text.floor_char_boundary(start);
            let end = text.floor_char_boundary(start + length).max(start);
            text.replace_range(start..end, &new);
        }
        survives(&text)?;
    }

    #[test]
    fn no_value_of_another_type_makes_it_panic(
        key in 0..200_usize,
        value in prop::sample::select(vec![
            "1", "-1", "9223372036854775807", "1.5", "nan", "true", "[]", "{}", "[[]]", "[{}]",
            "[1, \"a\", {}]", "\"\"", "\"${X}\"", "{a.b.c = 1}", "1979-05-27", "\"\\u0000\"",
        ]),
    ) {
        let assignments = EXAMPLE.matches('=').count();
        let (place, _) = EXAMPLE.match_indices('=').nth(key % assignments).unwrap();
        let line_end = EXAMPLE[place..].find('\n').unwrap() + place;
        let text = format!("{}= {value}{}", &EXAMPLE[..place], &EXAMPLE[line_end..]);
        survives(&text)?;
    }
}

#[test]
fn a_backlog_has_its_own_limits_or_those_of_all() {
    let config = parse(
        r#"
listen = "127.0.0.1:1"
data_dir = "d"
[log]
max_bytes = "2TiB"
min_free = "10%"
on_full = "drop_oldest"
max_backlog_bytes = "10GiB"
replay_rate = "20MiB"
[[circle]]
name = "c"
[[circle.backend]]
name = "b"
url = "http://127.0.0.1:8086"
kind = "influxdb1"
[[circle.backend]]
name = "own"
url = "http://127.0.0.1:8087"
kind = "influxdb1"
max_backlog_bytes = "1GiB"
max_backlog_age = "7d"
on_backlog_full = "drop_oldest"
"#,
    );
    let config = config.unwrap();
    assert_eq!(config.log.bytes_max, Some(2 << 40));
    assert_eq!(config.log.min_free.bytes(1 << 30), (1 << 30) / 100 * 10);
    assert_eq!(config.log.on_full, OnFull::DropOldest);
    let all = BacklogConfig {
        bytes_max: Some(10 << 30),
        age_max: None,
        on_full: OnFull::Reject,
        replay_rate: Some(20 << 20),
    };
    assert_eq!(config.backends[0].backlog, all);
    let own = BacklogConfig {
        bytes_max: Some(1 << 30),
        age_max: Some(Duration::from_secs(7 * 86_400)),
        on_full: OnFull::DropOldest,
        ..all
    };
    assert_eq!(config.backends[1].backlog, own);
}

#[test]
fn without_a_word_about_budgets_only_the_disk_decides() {
    let config = with_circle("").unwrap();
    assert_eq!((config.log.bytes_max, config.log.on_full), (None, OnFull::Reject));
    let none = BacklogConfig {
        bytes_max: None,
        age_max: None,
        on_full: OnFull::Reject,
        replay_rate: None,
    };
    assert_eq!(config.backends[0].backlog, none);
    let min_free = config.log.min_free;
    assert_eq!((min_free.bytes(1 << 30), min_free.bytes(1 << 40)), ((1 << 30) / 20, 4 << 30));
}

#[test]
fn wrong_budgets_are_told_with_their_places() {
    let told = problems(&format!(
        "listen = \"127.0.0.1:1\"\ndata_dir = \"d\"\n[log]\nmax_bytes = \"1MiB\"\n\
         min_free = \"lots\"\non_full = \"drop\"\nmax_backlog_age = \"7 days\"\n{CIRCLE}\
         on_backlog_full = \"reject\"\n"
    ));
    assert_eq!(
        told,
        [
            "log.max_bytes: too little for the logs of 3 cores",
            "log.min_free: \"lots\" is neither a share nor a size",
            "log.on_full: \"drop\" is not known here",
            "log.max_backlog_age: \"7 days\" is no duration",
            "circle[0].backend[0].on_backlog_full: this backlog has no limit",
        ]
    );
    assert_eq!(with_circle("[log]\nmin_free = \"51%\"").unwrap_err().problems().len(), 1);
    let segments = "[log]\nsegment_bytes = \"64MiB\"\nmax_bytes = ";
    assert!(with_circle(&format!("{segments}\"767MiB\"")).is_err());
    assert!(with_circle(&format!("{segments}\"768MiB\"")).is_ok(), "four for each core");
}
