use proptest::prelude::*;

use super::names::VARIABLES;
use super::*;

fn known(translations: &[Arc<Translation>]) -> Names<'_> {
    Names {
        translations,
        captures: &[],
    }
}

fn translation(name: &str, source: &str) -> Arc<Translation> {
    Arc::new(Translation {
        name: name.to_owned(),
        source: Template::parse(source, Names::default()).unwrap(),
        texts: vec![(String::new(), Template::text("registry/2.0"))],
        expressions: Vec::new(),
        default: Template::default(),
    })
}

#[test]
fn a_template_comes_out_as_it_was_written() {
    let map = translation(
        "api_version",
        "$upstream_http_docker_distribution_api_version",
    );
    for text in [
        "",
        "plain",
        "https://$host$request_uri",
        "${scheme}s",
        "$http_x_forwarded_proto, $proxy_add_x_forwarded_for",
        "v$api_version",
        "/v2/$1$20",
    ] {
        let template = Template::parse(text, known(&[Arc::clone(&map)])).unwrap();
        assert_eq!(template.to_string(), text);
    }
    let template = Template::parse("v$api_version", known(&[Arc::clone(&map)])).unwrap();
    let mut found = Vec::new();
    template.translations(&mut found);
    assert_eq!(found, [map]);
}

#[test]
fn what_groups_found_is_known_by_number_and_name() {
    let captures = ["team".to_owned()];
    let names = Names {
        translations: &[],
        captures: &captures,
    };
    let template = Template::parse("$12${team}s", names).unwrap();
    assert_eq!(
        template.0,
        [
            Piece::Variable(Variable::Capture(1)),
            Piece::Text("2".to_owned()),
            Piece::Variable(Variable::NamedCapture("team".to_owned())),
            Piece::Text("s".to_owned()),
        ]
    );
    assert_eq!(template.to_string(), "$12${team}s");
    assert!(template.uses_captures());
    for text in ["$0", "${1}", "$others"] {
        assert!(Template::parse(text, names).is_err(), "{text}");
    }
}

#[test]
fn what_is_no_variable_is_named() {
    for (text, said) in [
        ("$", "a `$` without the name of a variable"),
        ("a$-", "a `$` without the name of a variable"),
        ("${host", "`${` without `}`"),
        ("$hots", "`$hots` is no variable that is known here"),
        ("$http_", "`$http_` is no variable that is known here"),
    ] {
        assert_eq!(
            Template::parse(text, Names::default())
                .unwrap_err()
                .to_string(),
            said
        );
    }
}

#[test]
fn every_variable_is_known_by_its_name() {
    for (name, variable) in VARIABLES {
        assert_eq!(
            Variable::of_name(name, Names::default()),
            Some(variable.clone())
        );
        let shown = Template::variable(variable).to_string();
        assert!(Template::parse(&shown, Names::default()).is_ok(), "{shown}");
    }
    assert_eq!(
        Variable::of_name("http_user_agent", Names::default()),
        Some(Variable::RequestHeader("user-agent".to_owned()))
    );
}

#[test]
fn a_condition_comes_out_as_it_was_written() {
    for text in [
        "$http_x_token",
        "$scheme = \"http\"",
        "$request_method != \"GET\"",
        "$http_user_agent ~ \"^(docker\\/1\\.(3|4|5(?!\\.[0-9]-dev))|Go ).*$\"",
        "$host !~* \"^a b$\"",
    ] {
        let condition = Condition::parse(text, Names::default()).unwrap();
        assert_eq!(condition.to_string(), text);
    }
    let bare = Condition::parse("$scheme = http", Names::default()).unwrap();
    assert_eq!(bare.test, Test::Equals(Template::text("http")));
    for text in [
        "",
        "scheme = http",
        "$scheme http",
        "$scheme =",
        "$host ~ (",
    ] {
        assert!(Condition::parse(text, Names::default()).is_err(), "{text}");
    }
}

#[test]
fn paths_and_names_come_out_as_they_were_written() {
    for text in ["/", "= /v2/", "^~ /v2/", "~ \\.php$", "~* ^/V2/"] {
        assert_eq!(PathMatch::parse(text).unwrap().to_string(), text);
    }
    assert!(PathMatch::parse("v2").is_err());
    for text in ["a.example", "*.example.org", "registry.*", "~^r\\d+\\."] {
        assert_eq!(ServerName::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(
        ServerName::parse("A.Example").unwrap(),
        ServerName::Exact("a.example".to_owned())
    );
    for text in ["", "*", "a*b", "*.*", "*a.example", "~("] {
        assert!(ServerName::parse(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn what_can_be_read_comes_back(text in "[a-z$ {}0-2_~=!*/\"^.]{0,30}") {
        if let Ok(template) = Template::parse(&text, Names::default()) {
            prop_assert_eq!(Template::parse(&template.to_string(), Names::default()), Ok(template));
        }
        if let Ok(path) = PathMatch::parse(&text) {
            prop_assert_eq!(PathMatch::parse(&path.to_string()), Ok(path));
        }
        if let Ok(name) = ServerName::parse(&text) {
            prop_assert_eq!(ServerName::parse(&name.to_string()), Ok(name));
        }
        if let Ok(condition) = Condition::parse(&text, Names::default()) {
            prop_assert_eq!(Condition::parse(&condition.to_string(), Names::default()), Ok(condition));
        }
    }
}
