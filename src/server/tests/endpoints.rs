//! Which path and method mean what, and who may.

use super::world::World;
use crate::config::token::{Extent, Rights, Token};
use crate::config::{Auth, Secret};
use crate::server::Role;
use std::sync::Arc;

fn ask(world: &mut World, method: &str, target: &str, more: &str) -> u16 {
    world.ask(format!("{method} {target} HTTP/1.1\r\nHost: h\r\n{more}\r\n").as_bytes()).status
}

#[test]
fn only_what_tells_of_the_gateway_itself_needs_no_token() {
    let mut world = World::new(&["secret"], &["d"]);
    for target in ["/ping", "/status", "/health", "/ready", "/metrics", "/api/v2/setup"] {
        assert!(ask(&mut world, "GET", target, "") < 300, "{target}");
    }
    let closed = ["/write?db=d", "/api/v2/write?bucket=d", "/query?q=x", "/api/v2/query"];
    for target in closed.into_iter().chain(["/api/v2/buckets", "/api/v2/delete"]) {
        for shown in ["", "Authorization: Token wrong\r\n", "Authorization: secret\r\n"] {
            assert_eq!(ask(&mut world, "POST", target, shown), 401, "{target} {shown}");
        }
        let status = ask(&mut world, "POST", target, "Authorization: Token secret\r\n");
        assert!(matches!(status, 204 | 400 | 501), "{target} {status}");
    }
    assert_eq!(ask(&mut world, "POST", "/write?db=d&u=any&p=secret", ""), 204);
    assert_eq!(ask(&mut world, "POST", "/write?db=d&u=any&p=guess", ""), 401);
}

#[test]
fn a_scope_is_asked_before_any_body() {
    let token = |name: &str, write, admin| {
        let only = Some(vec![Extent::whole("d")]);
        let rights = Rights { read: true, write, admin, only };
        Arc::new(Token { name: name.to_owned(), rights, ..Token::plain(Secret::new(name)) })
    };
    let mut world = World::new(&["all"], &["d", "d/weekly", "e", "dd"]);
    let Auth::Tokens(tokens) = &mut world.settings.auth else { panic!("it has tokens") };
    tokens.push(token("writer", true, false));
    tokens.push(token("reader", false, false));
    tokens.push(token("admin", false, true));
    let mut of = |name: &str, method: &str, target: &str| {
        let more = format!("Authorization: Token {name}\r\nContent-Length: 0\r\n");
        ask(&mut world, method, target, &more)
    };
    for target in ["/write?db=d", "/api/v2/write?bucket=d/weekly"] {
        assert_eq!(of("writer", "POST", target), 204, "{target}");
        assert_eq!(of("reader", "POST", target), 403, "{target}");
        assert_eq!(of("admin", "POST", target), 403, "{target}");
        assert_eq!(of("nobody", "POST", target), 401, "{target}");
    }
    for target in ["/write?db=e", "/api/v2/write?bucket=e", "/api/v2/write?bucket=dd"] {
        assert_eq!(of("writer", "POST", target), 403, "{target}");
        assert_eq!(of("all", "POST", target), 204, "{target}");
    }
    for target in ["/-/status", "/-/log", "/-/tap?db=d", "/-/route?db=d&measurement=m"] {
        assert_eq!(of("writer", "GET", target), 403, "{target}");
    }
    assert_eq!(of("reader", "POST", "/-/backend/x/complete"), 403);
}

#[test]
fn a_store_has_the_paths_of_a_server_and_none_of_a_gateway() {
    let mut world = World::new(&[], &["d"]);
    world.settings.role = Role::Store;
    for target in ["/-/status", "/-/log", "/-/tap", "/-/backend/b/complete", "/-/route", "/"] {
        for method in ["GET", "POST"] {
            assert_eq!(ask(&mut world, method, target, ""), 404, "{method} {target}");
        }
    }
    for target in ["/ping", "/health", "/ready", "/metrics", "/api/v2/setup", "/api/v2/orgs"] {
        assert!(ask(&mut world, "GET", target, "") < 300, "{target}");
    }
}

#[test]
fn a_stranger_learns_nothing_from_parameters() {
    let mut world = World::new(&["secret"], &["d"]);
    for target in ["/write", "/write?db=nosuch", "/write?db=d&precision=x", "/api/v2/write"] {
        assert_eq!(ask(&mut world, "POST", target, ""), 401, "{target}");
    }
}

#[test]
fn each_path_takes_its_methods_and_says_so() {
    let table = [
        ("/write", "OPTIONS, POST", ["GET", "PUT", "HEAD", "DELETE"]),
        ("/api/v2/write", "OPTIONS, POST", ["GET", "PUT", "HEAD", "PATCH"]),
        ("/query", "GET, OPTIONS, POST", ["PUT", "DELETE", "PATCH", "FOO"]),
        ("/api/v2/query", "OPTIONS, POST", ["GET", "PUT", "HEAD", "DELETE"]),
        ("/api/v2/delete", "OPTIONS, POST", ["GET", "PUT", "DELETE", "PATCH"]),
        ("/api/v2/buckets", "GET, OPTIONS, POST", ["PUT", "DELETE", "PATCH", "HEAD"]),
        ("/api/v2/orgs", "GET, OPTIONS", ["POST", "PUT", "DELETE", "PATCH"]),
        ("/api/v2/dbrps", "GET, OPTIONS", ["POST", "PUT", "DELETE", "PATCH"]),
        ("/ping", "GET, HEAD", ["POST", "PUT", "DELETE", "FOO"]),
        ("/health", "GET, HEAD", ["POST", "PUT", "DELETE", "FOO"]),
    ];
    let mut world = World::new(&[], &["d"]);
    for (target, allow, methods) in table {
        for method in methods {
            let text = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n");
            let answer = world.ask(text.as_bytes());
            assert_eq!((answer.status, answer.field("allow")), (405, Some(allow)), "{text}");
        }
    }
}

#[test]
fn unknown_paths_are_not_found_in_their_dialect() {
    let mut world = World::new(&["secret"], &[]);
    for (target, status) in [
        ("/", 404),
        ("/write/", 404),
        ("//write", 404),
        ("/api/v2", 404),
        ("/api/v2/", 404),
        ("/api/v2/nosuch/", 404),
        ("/api/v2/write/?bucket=b", 308),
        ("/WRITE", 404),
    ] {
        assert_eq!(ask(&mut world, "POST", target, ""), status, "{target}");
    }
}

#[test]
fn parameters_of_a_write_are_judged_before_its_body() {
    let mut world = World::new(&[], &["d"]);
    let cases = [
        ("/write", 400, "{\"error\":\"database is required\"}\n"),
        ("/write?db=", 400, "{\"error\":\"database is required\"}\n"),
        (
            "/write?db=d&precision=foo",
            400,
            "{\"error\":\"invalid precision \\\"foo\\\" (use n, u, ms, s, m or h)\"}\n",
        ),
        ("/write?db=d&consistency=foo", 400, "{\"error\":\"invalid consistency level\"}\n"),
        (
            "/api/v2/write?bucket=d&orgID=12",
            400,
            "{\"code\":\"invalid\",\"message\":\"id must have a length of 16 bytes\"}",
        ),
        ("/api/v2/write?org=o", 404, "{\"code\":\"not found\",\"message\":\"bucket not found\"}"),
    ];
    for (target, status, body) in cases {
        let text = format!("POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n");
        let seen = world.talk(text.as_bytes(), 9999, false);
        assert_eq!((seen.answers[0].status, seen.answers[0].body.as_str()), (status, body));
    }
}

#[test]
fn every_spelling_of_a_target_is_one() {
    let mut world = World::new(&[], &["d"]);
    for target in [
        "/write?db=d",
        "/write?db=d&rp=",
        "/write?db=d&rp=autogen",
        "/api/v2/write?bucket=d&org=default",
        "/api/v2/write?bucket=d&orgID=0123456789abcdef",
        "/api/v2/write?bucket=d/autogen",
        "/api/v2/write?bucket=d%2Fautogen&org=",
    ] {
        let text = format!("POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\na v=1 1");
        assert_eq!(world.ask(text.as_bytes()).status, 204, "{target}");
    }
    assert_eq!(world.kept, ["d: a v=1"; 7]);
}

#[test]
fn a_question_comes_from_the_body_before_the_url() {
    let mut world = World::new(&[], &[]);
    let mut asked = |head: &str, body: &str| {
        let length = body.len();
        let text = format!("{head}\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}");
        let status = world.ask(text.as_bytes()).status;
        (status, world.asked.pop())
    };
    let form = "\r\nContent-Type: application/x-www-form-urlencoded";
    let q = |text: &str| (501, Some(text.to_owned()));
    assert_eq!(asked("GET /query?q=one HTTP/1.1", ""), q("one"));
    assert_eq!(asked("POST /query?q=one HTTP/1.1", ""), q("one"));
    assert_eq!(asked(&format!("POST /query?q=one HTTP/1.1{form}"), "q=two%3B+x"), q("two; x"));
    assert_eq!(asked(&format!("POST /query?q=one HTTP/1.1{form}"), "db=d"), q("one"));
    let raw = "POST /query HTTP/1.1\r\nContent-Type: application/vnd.influxql";
    assert_eq!(asked(raw, "three+"), q("three+"));
    let json = "POST /query HTTP/1.1\r\nContent-Type: application/json";
    assert_eq!(asked(json, "{\"q\":\"x\"}"), (400, None));
}
