//! What others install: the Debian package, the container, the compose file, the manifests of Kubernetes.

use crate::support::circlet::{BINARY, run};
use crate::support::python::{finish, interpreter, output};
use crate::support::vectors::root;
use crate::support::world::directory;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A package of the binary under test, not compressed: that takes longer than all the rest.
fn package(directory: &Path) -> PathBuf {
    let mut command = Command::new(root().join("scripts/package"));
    command.args(["deb", "--binary", BINARY]).env("CIRCLET_PACKAGE_DIRECTORY", directory);
    command.env("CIRCLET_PACKAGE_COMPRESSION", "none");
    PathBuf::from(finish(&mut command).trim())
}

fn dpkg_deb(arguments: &[&str], package: &Path) -> String {
    finish(Command::new("dpkg-deb").args(arguments).arg(package))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn generated(what: &str) -> String {
    String::from_utf8(run(&["generate", what], root()).stdout).expect("text")
}

/// The documents of a YAML file, or of what a command prints.
fn yaml(text: &str) -> Vec<Value> {
    let directory = directory();
    let file = directory.path().join("file.yaml");
    fs::write(&file, text).unwrap();
    let script = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(open(sys.argv[1]))), sys.stdout)";
    let said = finish(Command::new(interpreter()).args(["-c", script]).arg(file));
    serde_json::from_str(&said).expect("JSON")
}

#[test]
fn the_package_has_everything_where_debian_looks_for_it() {
    let directory = directory();
    let package = package(directory.path());
    let tree = directory.path().join("unpacked");
    finish(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&tree));
    let read = |path: &str| {
        fs::read_to_string(tree.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let shell = |name: &str| {
        let output = run(&["generate", "completion", name], root());
        String::from_utf8(output.stdout).expect("text")
    };
    for (path, text) in [
        ("usr/lib/systemd/system/circlet.service", generated("systemd-unit")),
        ("usr/share/doc/circlet/examples/circlet.toml", generated("config")),
        ("usr/share/doc/circlet/examples/alerts.yml", generated("alerts")),
        ("usr/share/doc/circlet/examples/seccomp.json", generated("seccomp")),
        ("usr/share/bash-completion/completions/circlet", shell("bash")),
        ("usr/share/zsh/vendor-completions/_circlet", shell("zsh")),
        ("usr/share/fish/vendor_completions.d/circlet.fish", shell("fish")),
    ] {
        assert_eq!(read(path), text, "{path}");
    }
    for (path, begin) in [("man/man1/circlet.1", ".ie"), ("doc/circlet/changelog", "# Changelog")] {
        let packed = tree.join(format!("usr/share/{path}.gz"));
        let text = finish(Command::new("gzip").arg("-dc").arg(packed));
        assert!(text.starts_with(begin), "{path}: {text}");
    }
    let copyright = read("usr/share/doc/circlet/copyright");
    assert!(copyright.contains("\n Permission is hereby granted"), "{copyright}");
    no_dead_links(&tree.join("usr/share/doc/circlet"));

    // The program runs as it is, the configuration is sound and the one that the unit names.
    let said = finish(Command::new(tree.join("usr/bin/circlet")).arg("--version"));
    assert!(said.starts_with("circlet "), "{said}");
    let config = tree.join("etc/circlet/circlet.toml");
    finish(Command::new(BINARY).arg("check-config").arg(config));
    assert!(
        read("usr/lib/systemd/system/circlet.service").contains("-c /etc/circlet/circlet.toml")
    );
    finish(
        Command::new("md5sum")
            .args(["--check", "--quiet"])
            .arg(control(&package, &tree))
            .current_dir(&tree),
    );
}

/// Unpacks what the package says of itself, looks at it, and gives the file of checksums.
fn control(package: &Path, tree: &Path) -> PathBuf {
    let control = tree.join("DEBIAN");
    finish(Command::new("dpkg-deb").arg("--control").arg(package).arg(&control));
    let conffiles = fs::read_to_string(control.join("conffiles")).unwrap();
    assert_eq!(conffiles, "/etc/circlet/circlet.toml\n");
    for script in ["postinst", "prerm", "postrm"] {
        finish(Command::new("sh").arg("-n").arg(control.join(script)));
    }
    let field =
        |name: &str| dpkg_deb(&["--field"], package).lines().any(|line| line.starts_with(name));
    for name in ["Depends: libc6 (>= 2.", "Version: 0.1.0-", "Maintainer: ", "Installed-Size: "] {
        assert!(field(name), "no {name}");
    }
    let names = dpkg_deb(&["--contents"], package);
    assert!(names.lines().all(|line| line.contains(" root/root ")), "{names}");
    control.join("md5sums")
}

/// Pages name each other by their places in the source; these are elsewhere in the package.
const MOVED: [&str; 3] = ["CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// Whatever a page of the package links to is in the package.
fn no_dead_links(folder: &Path) {
    let pages =
        ["README.md", "docs/README.md", "docs/install.md", "docs/sizing.md", "docs/upgrade.md"];
    for page in pages {
        let text = fs::read_to_string(folder.join(page)).unwrap_or_else(|_| panic!("no {page}"));
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let links = links.filter(|link| !link.is_empty() && !link.contains("://"));
        for link in links.filter(|link| !MOVED.iter().any(|moved| link.ends_with(moved))) {
            let target = folder.join(page).with_file_name("").join(link);
            assert!(target.exists(), "{page} links to {link}, which is not in the package");
        }
    }
}

#[test]
fn a_package_of_the_same_binary_has_the_same_bytes() {
    let (first, second) = (directory(), directory());
    let [first, second] =
        [&first, &second].map(|directory| fs::read(package(directory.path())).unwrap());
    assert!(first == second, "they differ");
}

/// Where lintian is installed it looks, too; `scripts/setup` does not install it, because that takes longer than
/// everything here.
#[test]
fn lintian_finds_nothing_wrong_with_the_package() {
    if Command::new("lintian").arg("--version").output().is_err() {
        eprintln!("lintian is not installed: apt-get install lintian");
        return;
    }
    let directory = directory();
    let package = package(directory.path());
    let mut command = Command::new("lintian");
    command.args(["--allow-root", "--fail-on", "warning,error", "--suppress-tags"]);
    command.arg("uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball");
    finish(command.arg(package));
}

#[test]
fn the_compose_file_starts_three_circles_and_circlet() {
    let mut command = Command::new("docker-compose");
    command.args(["-f", "docker-compose.yml", "config"]).current_dir(root());
    let compose = yaml(&finish(&mut command)).remove(0);
    let services = compose["services"].as_object().expect("services");
    let config = read("packaging/container/circlet.toml");
    let mut circles = [0; 3];
    for (name, service) in services.iter().filter(|(name, _)| *name != "circlet") {
        assert_eq!(service["image"], "influxdb:2.7", "{name}");
        for (variable, value) in
            [("ORG", "klec-org"), ("BUCKET", "klec-bucket"), ("ADMIN_TOKEN", "123456")]
        {
            let variable = format!("DOCKER_INFLUXDB_INIT_{variable}");
            assert_eq!(service["environment"][&variable], value, "{name}: {variable}");
        }
        assert!(
            config.contains(&format!("\"http://{name}:8086\"")),
            "Circlet does not know {name}"
        );
        let circle = name.split('-').nth(1).and_then(|circle| circle.parse::<usize>().ok());
        circles[circle.expect("influxdb-CIRCLE-INDEX") - 1] += 1;
    }
    assert_eq!(circles, [2, 2, 4]);
    let circlet = &services["circlet"];
    assert_eq!(circlet["environment"]["CIRCLET_TOKEN"], "123456");
    assert_eq!(circlet["ulimits"]["memlock"]["hard"], -1);
    let text = circlet.to_string();
    for part in ["8080:8080", "packaging/container/seccomp.json", "/etc/circlet/circlet.toml"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut check = Command::new(BINARY);
    check.arg("check-config").arg(root().join("packaging/container/circlet.toml"));
    finish(check.env("CIRCLET_TOKEN", "123456"));
}

#[test]
fn the_seccomp_profile_of_the_container_is_the_generated_one() {
    let kept = read("packaging/container/seccomp.json");
    assert_eq!(
        kept,
        generated("seccomp"),
        "circlet generate seccomp > packaging/container/seccomp.json"
    );
}

#[test]
fn the_container_is_built_of_what_it_needs() {
    let hadolint = interpreter().with_file_name("hadolint");
    finish(Command::new(hadolint).arg(root().join("Dockerfile")));
    // The image has what `ldd` names. Those look names up by themselves; another one may load more at run time.
    let linked = finish(Command::new("ldd").arg(BINARY));
    let names = linked.lines().map(|line| line.split_whitespace().next().unwrap_or_default());
    let unknown: Vec<&str> = names
        .filter(|name| {
            let known = ["linux-vdso.so", "libgcc_s.so", "libm.so", "libc.so", "/lib"];
            !known.iter().any(|known| name.starts_with(known))
        })
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    // What the build stage gets: only what is named, and what the sources include at compile time.
    let ignored = read(".dockerignore");
    for line in ["*", "!Cargo.lock", "!src", "!loadgen", "!circlet.example.toml"] {
        assert!(ignored.lines().any(|have| have == line), ".dockerignore lacks {line}");
    }
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains(&format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"))));
}

#[test]
fn the_manifests_of_kubernetes_are_valid_and_fit_each_other() {
    let folder = root().join("packaging/kubernetes");
    let names = ["configmap", "service", "poddisruptionbudget", "statefulset"];
    let files = names.map(|name| folder.join(format!("{name}.yaml")));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), files.len(), "every file is looked at");
    let mut command = Command::new(interpreter().with_file_name("kubernetes-validate"));
    finish(command.args(["--strict", "--kubernetes-version", "1.30"]).args(&files));

    let read = |file: &PathBuf| yaml(&fs::read_to_string(file).unwrap());
    let [configmap, services, budget, set] = files.each_ref().map(read);
    let pod = &set[0]["spec"]["template"];
    for selector in [
        &services[0]["spec"]["selector"],
        &services[1]["spec"]["selector"],
        &budget[0]["spec"]["selector"]["matchLabels"],
        &set[0]["spec"]["selector"]["matchLabels"],
    ] {
        assert_eq!(selector, &pod["metadata"]["labels"]);
    }
    assert_eq!(services[1]["metadata"]["name"], set[0]["spec"]["serviceName"]);
    assert_eq!(services[1]["spec"]["clusterIP"], "None");
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/ready");
    // A restart cures no backend: see the page of `/health`.
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/ping");
    assert_eq!(pod["spec"]["volumes"][0]["configMap"]["name"], configmap[0]["metadata"]["name"]);

    let directory = directory();
    let config = directory.path().join("circlet.toml");
    fs::write(&config, configmap[0]["data"]["circlet.toml"].as_str().unwrap()).unwrap();
    let mut check = Command::new(BINARY);
    check.arg("check-config").arg(config);
    let variables = container["env"].as_array().unwrap();
    check.envs(variables.iter().map(|variable| (variable["name"].as_str().unwrap(), "secret")));
    finish(&mut check);
    let said = output(check.env_remove("CIRCLET_TOKEN"));
    assert_eq!(said.status.code(), Some(3), "the token is needed");
}
