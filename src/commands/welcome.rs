//! What `circlet run` says where nothing was configured: what to type next.

use super::say;
use circlet::config::Config;

/// Made by the first start, so that the commands below work at once.
pub const DATABASE: &str = "demo";

pub fn print(config: &Config) {
    let address = config.listen;
    let data = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    let circles: Vec<String> = config
        .plan
        .circles
        .iter()
        .map(|circle| {
            let names: Vec<&str> =
                circle.backends.iter().map(|backend| backend.name.as_str()).collect();
            format!("  {}: {}", circle.name, names.join(", "))
        })
        .collect();
    say(format_args!(
        "Circlet serves on http://{address}: two complete copies of all data, each in two embedded stores.\n\
         {}\n\
         The data is in {}.\n\n\
         Write:\n  {}\nAsk:\n  {}\n",
        circles.join("\n"),
        data.display(),
        write(&address.to_string()),
        question(&address.to_string()),
    ));
}

/// A test types them.
fn write(address: &str) -> String {
    format!(
        "curl -i 'http://{address}/write?db={DATABASE}' --data-binary 'cpu_usage,host=server01 value=0.64'"
    )
}

fn question(address: &str) -> String {
    format!(
        "curl -G 'http://{address}/query?db={DATABASE}&pretty=true' --data-urlencode \
         \"q=select value from cpu_usage where host='server01' and time > now() - 1h\""
    )
}
