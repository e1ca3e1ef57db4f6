//! What `circlet run` says where nothing was configured: what to type next.

use super::arguments::BuiltIn;
use super::say;
use circlet::config::Config;
use circlet::shard::Trouble;

/// Made by the first start, so that the commands below work at once.
pub const DATABASE: &str = "demo";

/// The built-in configuration with what was chosen on the command line.
pub fn chosen(mut config: Config, built_in: &BuiltIn) -> Result<Config, Trouble> {
    config.listen = built_in.listen.unwrap_or(config.listen);
    if let Some(data_dir) = &built_in.data_dir {
        config.data_dir.clone_from(data_dir);
    }
    if !config.listen.ip().is_loopback() {
        let text = "others can reach this address: write a configuration with [auth], or listen on 127.0.0.1";
        return Err(Trouble::Configuration(text.to_owned()));
    }
    Ok(config)
}

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
