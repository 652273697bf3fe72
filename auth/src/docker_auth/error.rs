//! Why an `auth_config.yml` is not served.

use tidegate_config::{Finding, LoadError, Verdict};
use tidegate_failure::Explain;

/// Why an `auth_config.yml` is not served.
#[derive(Debug, thiserror::Error)]
pub enum DockerAuthError {
    /// It cannot be read, or docker_auth would not start with it.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Something in it cannot be honoured, and somebody relies on it.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
}

impl DockerAuthError {
    /// What of a file cannot be honoured, if there is something.
    pub(super) fn of_refusals(findings: &[Finding]) -> Result<(), Self> {
        let refused = |finding: &Finding| {
            let Verdict::Refused(why) = &finding.verdict else {
                return None;
            };
            let location = finding.location.as_ref()?;
            Some(format!("{location}: {}: {why}", finding.subject))
        };
        let refused: Vec<String> = findings.iter().filter_map(refused).collect();
        if refused.is_empty() {
            Ok(())
        } else {
            Err(Self::Refused(refused))
        }
    }
}

impl Explain for DockerAuthError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Load(LoadError::Read(_)) => {
                Some("name the auth_config.yml that docker_auth was started with".to_owned())
            }
            Self::Load(error) => error.hint(),
            Self::Refused(_) => Some("take it out of the file".to_owned()),
        }
    }
}
