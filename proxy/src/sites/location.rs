//! Where the answers of upstreams lead: nginx's `proxy_redirect`.

use http::header::{LOCATION, REFRESH};
use pingora::http::ResponseHeader;
use tidegate_config::site::{LocationRule, PathMatch, PerlExpression, Proxy, Template};

use super::facts::Facts;
use super::progress::Captures;

/// What becomes of a `Location`, and of the URL in a `Refresh`.
#[derive(Debug)]
pub(crate) struct Locations(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    from: From,
    to: Template,
}

#[derive(Debug)]
enum From {
    /// What it begins with.
    Prefix(Template),
    /// What is found in it.
    Expression(PerlExpression),
}

impl Locations {
    pub(crate) fn of(proxy: &Proxy, place: &PathMatch) -> Self {
        let scheme = if proxy.tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", proxy.host);
        let rules = proxy.redirects.iter().map(|rule| match rule {
            LocationRule::Place => {
                let (from, to) = match (&proxy.path, place) {
                    (Some(path), PathMatch::Prefix { path: to, .. } | PathMatch::Exact(to)) => {
                        (format!("{url}{path}"), to.as_str())
                    }
                    _ => (format!("{url}/"), "/"),
                };
                Rule {
                    from: From::Prefix(Template::text(from)),
                    to: Template::text(to),
                }
            }
            LocationRule::Prefix { from, to } => Rule {
                from: From::Prefix(from.clone()),
                to: to.clone(),
            },
            LocationRule::Expression { from, to } => Rule {
                from: From::Expression(from.clone()),
                to: to.clone(),
            },
        });
        Self(rules.collect())
    }

    /// Turns the fields of an answer. What then has a slash in front leads to
    /// `here`: scheme and authority.
    ///
    /// # Errors
    /// A value that no field can have.
    pub(crate) fn turn(
        &self,
        response: &mut ResponseHeader,
        facts: &Facts<'_>,
        here: &str,
    ) -> pingora::Result<()> {
        let facts = Facts {
            answer: Some(response),
            ..*facts
        };
        let text = |name| response.headers.get(name)?.to_str().ok();
        let location = text(LOCATION).and_then(|location| {
            let turned = self.turned(location, &facts)?;
            let is_path = turned.starts_with('/');
            Some(if is_path {
                format!("{here}{turned}")
            } else {
                turned
            })
        });
        let refresh = text(REFRESH).and_then(|refresh| {
            let (wait, url) = refresh.split_at(url_in(refresh)?);
            Some(format!("{wait}{}", self.turned(url, &facts)?))
        });
        for (name, value) in [(LOCATION, location), (REFRESH, refresh)] {
            if let Some(value) = value {
                response.insert_header(name, value)?;
            }
        }
        Ok(())
    }

    /// `None`: no rule fits.
    fn turned(&self, url: &str, facts: &Facts<'_>) -> Option<String> {
        self.0.iter().find_map(|rule| match &rule.from {
            From::Prefix(from) => {
                let rest = url.strip_prefix(&*facts.fill_in(from))?;
                Some(format!("{}{rest}", facts.fill_in(&rule.to)))
            }
            From::Expression(from) => {
                let found = Captures::from(from.find_in(url)?);
                let facts = Facts {
                    found: &found,
                    ..*facts
                };
                Some(facts.fill_in(&rule.to).into_owned())
            }
        })
    }
}

/// Where the URL of a `Refresh` begins: `5; url=/elsewhere`.
fn url_in(refresh: &str) -> Option<usize> {
    let at = refresh.to_ascii_lowercase().find("url=")?;
    Some(at + "url=".len())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pingora::http::RequestHeader;
    use tidegate_config::site::Names;

    use super::super::facts::Within;
    use super::*;

    fn proxy(path: Option<&str>, redirects: Vec<LocationRule>) -> Proxy {
        Proxy {
            servers: Vec::new(),
            tls: None,
            host: "registry:5000".to_owned(),
            path: path.map(str::to_owned),
            target: None,
            headers: Vec::new(),
            redirects,
            connect_timeout: Duration::ZERO,
            read_timeout: Duration::ZERO,
            send_timeout: Duration::ZERO,
        }
    }

    fn rule(from: &str, to: &str) -> LocationRule {
        let template = |text| Template::parse(text, Names::default()).unwrap();
        LocationRule::Prefix {
            from: template(from),
            to: template(to),
        }
    }

    /// What `Location` and `Refresh` become.
    fn turned(proxy: &Proxy, place: &str, url: &str) -> (String, String) {
        let request = RequestHeader::build("GET", b"/", None).unwrap();
        let facts = Facts {
            request: &request,
            host: "r.example.org",
            over_tls: true,
            client: None,
            peer: None,
            local: None,
            server_name: "",
            shown: None,
            proxy_host: &proxy.host,
            target: None,
            found: &Captures::NONE,
            within: Within::Nothing,
            answer: None,
        };
        let mut response = ResponseHeader::build(202, None).unwrap();
        let sub = format!("{url}up");
        response.insert_header(LOCATION, &sub).unwrap();
        response
            .insert_header(REFRESH, format!("3; URL={sub}"))
            .unwrap();
        response.insert_header("x-new", "https://new").unwrap();
        let locations = Locations::of(proxy, &PathMatch::parse(place).unwrap());
        locations
            .turn(&mut response, &facts, "https://r.example.org:5043")
            .unwrap();
        let text = |name| response.headers[name].to_str().unwrap().to_owned();
        let refresh = text(REFRESH);
        let url = refresh.strip_prefix("3; URL=").unwrap();
        (text(LOCATION), url.to_owned())
    }

    #[test]
    fn a_location_at_the_servers_leads_to_the_place() {
        let place = || vec![LocationRule::Place];
        let here = "https://r.example.org:5043";
        for (path, at, url, expected) in [
            (None, "/v2/", "http://registry:5000/v2/a/", "/v2/a/up"),
            (
                Some("/in/"),
                "/v2/",
                "http://registry:5000/in/a/",
                "/v2/a/up",
            ),
            (Some("/in/"), "= /v2/", "http://registry:5000/in/", "/v2/up"),
            (None, "~ v2", "http://registry:5000/v2/", "/v2/up"),
        ] {
            let (location, refresh) = turned(&proxy(path, place()), at, url);
            assert_eq!(location, format!("{here}{expected}"), "{url}");
            assert_eq!(refresh, expected, "{url}");
        }
        for url in ["https://registry:5000/", "http://registry/", "/v2/"] {
            let expected = format!("{url}up");
            let found = turned(&proxy(None, place()), "/v2/", url);
            assert_eq!(found, (expected.clone(), expected), "{url}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let rules = vec![
            rule("http://$proxy_host/a/", "https://$host/"),
            rule("http://", "$scheme://"),
            rule("s3:", "$upstream_http_x_new"),
        ];
        let proxy = proxy(None, rules);
        for (url, expected) in [
            ("http://registry:5000/a/", "https://r.example.org/up"),
            ("http://other/", "https://other/up"),
            ("s3:", "https://newup"),
            ("ftp://x/", "ftp://x/up"),
        ] {
            assert_eq!(turned(&proxy, "/", url).0, expected);
        }
    }

    #[test]
    fn an_expression_takes_the_place_of_the_whole() {
        let expression = PerlExpression::new("^http://([^/:]+):[0-9]+(/.*)$", false).unwrap();
        let rules = vec![LocationRule::Expression {
            from: expression,
            to: Template::parse("https://$1$2", Names::default()).unwrap(),
        }];
        let proxy = proxy(None, rules);
        let (location, refresh) = turned(&proxy, "/", "http://registry:5000/v2/");
        assert_eq!(location, "https://registry/v2/up");
        assert_eq!(refresh, "https://registry/v2/up");
        let (location, _) = turned(&proxy, "/", "http://registry/v2/");
        assert_eq!(location, "http://registry/v2/up");
    }
}
