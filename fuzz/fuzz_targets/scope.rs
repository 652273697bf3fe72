#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_auth::token::Scope;

fuzz_target!(|text: &str| {
    let Ok(scopes) = Scope::parse_list(text, 0) else {
        return;
    };
    assert!(scopes.len() <= Scope::MOST);
    for scope in &scopes {
        let shown = scope.to_string();
        // It stands in the quotes of a challenge as it is.
        assert!(!shown.contains(|c: char| c == '"' || c == '\\' || !c.is_ascii_graphic()));
        assert!(shown.parse().as_ref() == Ok(scope));
    }
});
