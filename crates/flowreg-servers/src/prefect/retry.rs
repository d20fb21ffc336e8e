//! When a request is sent again, and after how long.
//!
//! Every request that flowreg sends may be repeated: an upsert, a change to fixed values, a
//! deletion (new automations are looked after in `automations`). So nothing but the kind of
//! trouble and the time that has passed decides.

use std::time::{Duration, SystemTime};

use super::tls_error::TlsProblem;

/// How long one call may take with all its repetitions.
pub(super) const BUDGET: Duration = Duration::from_secs(30);

/// The first pause. It is short, as a server on `SQLite` that answers 503 is usually free again
/// at once (docs/facts/prefect.md, "Busy servers").
const FIRST_PAUSE: Duration = Duration::from_millis(25);

const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long a server that answered before may be gone, as while it restarts.
const RESTART: Duration = Duration::from_secs(4);

/// What kept a request from being answered.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server says that it can't now.
    Busy {
        /// 408, 429, 502, 503 or one that the user added.
        status: u16,
        /// `Retry-After`.
        wait: Option<Duration>,
    },
    /// The connection ended before the answer.
    Broken(String),
    /// No answer in time.
    TimedOut(Duration),
    /// No connection.
    Unconnected(String),
    /// No connection that can be trusted.
    Untrusted(TlsProblem),
}

/// The circumstances of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation {
    /// How often it was sent.
    pub attempts: u32,
    /// How long ago it was sent first.
    pub elapsed: Duration,
    /// Whether the server has ever answered in this run.
    pub answered_before: bool,
    /// Whether it changes something.
    pub is_write: bool,
    /// `PREFECT_CLIENT_MAX_RETRIES`, if set.
    pub max_retries: Option<u32>,
}

impl Trouble {
    /// Whether it says that the server has too much to do.
    pub(super) fn is_overload(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::TimedOut(_))
    }

    /// The pause before the request is sent again, or `None` if it isn't.
    pub(super) fn pause(&self, situation: Situation) -> Option<Duration> {
        if situation.max_retries.is_some_and(|most| situation.attempts > most) {
            return None;
        }
        let pause =
            FIRST_PAUSE * 2_u32.saturating_pow(situation.attempts.saturating_sub(1).min(10));
        let pause = pause.min(LONGEST_PAUSE);
        let pause = match self {
            Self::Busy { wait, .. } => wait.unwrap_or(pause).max(FIRST_PAUSE),
            // A read that timed out is tried once more. A write may have been carried out
            // although its answer is missing, and only repeating it tells.
            Self::TimedOut(_) => {
                let is_worth_it = situation.is_write || situation.attempts == 1;
                return (situation.answered_before && is_worth_it && situation.elapsed < BUDGET)
                    .then_some(pause);
            }
            // What never spoke HTTP is probably no HTTP server.
            Self::Broken(_) if !situation.answered_before && situation.attempts > 3 => return None,
            Self::Broken(_) => pause,
            Self::Untrusted(_) => return None,
            // An address where nothing ever answered is wrong, or its server is down; one that did
            // answer may be restarting.
            Self::Unconnected(_) => {
                let may_come_back = situation.answered_before && situation.elapsed < RESTART;
                return may_come_back.then_some(pause);
            }
        };
        (situation.elapsed + pause <= BUDGET).then_some(pause)
    }

    /// What happened, in words.
    pub(super) fn reason(&self, attempts: u32) -> String {
        let again = if attempts > 1 { format!(", {attempts} attempts") } else { String::new() };
        match self {
            Self::Busy { status, wait: Some(wait) } => format!(
                "it is busy ({status}) and asks to wait {} s{again}",
                wait.as_secs_f64().ceil()
            ),
            Self::Busy { status, wait: None } => format!("it is busy ({status}){again}"),
            Self::Broken(reason) => format!("the connection broke: {reason}{again}"),
            Self::TimedOut(limit) => {
                format!("no answer within {} s{again}", limit.as_secs_f64())
            }
            Self::Unconnected(reason) => format!("{reason}{again}"),
            Self::Untrusted(problem) => problem.to_string(),
        }
    }
}

/// Reads `Retry-After`: seconds, or a date.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Situation = Situation {
        attempts: 1,
        elapsed: Duration::ZERO,
        answered_before: true,
        is_write: true,
        max_retries: None,
    };

    fn busy(wait: Option<u64>) -> Trouble {
        Trouble::Busy { status: 503, wait: wait.map(Duration::from_secs) }
    }

    #[test]
    fn pauses_start_small_and_double() {
        let pause =
            |attempts| busy(None).pause(Situation { attempts, ..FIRST }).unwrap().as_millis();
        assert_eq!([1, 2, 3, 20].map(pause), [25, 50, 100, 2000]);
    }

    #[test]
    fn retry_after_is_kept_unless_it_goes_beyond_the_budget() {
        assert_eq!(busy(Some(7)).pause(FIRST), Some(Duration::from_secs(7)));
        assert_eq!(busy(Some(3600)).pause(FIRST), None);
        assert_eq!(busy(None).pause(Situation { elapsed: BUDGET, ..FIRST }), None);
    }

    #[test]
    fn a_read_is_repeated_once_after_a_timeout_and_first_contact_never() {
        let timeout = Trouble::TimedOut(Duration::from_secs(15));
        let read = Situation { is_write: false, ..FIRST };
        assert!(timeout.pause(read).is_some());
        assert!(timeout.pause(Situation { attempts: 2, ..read }).is_none());
        assert!(timeout.pause(Situation { answered_before: false, ..read }).is_none());
        assert!(timeout.pause(Situation { attempts: 2, ..FIRST }).is_some());
    }

    #[test]
    fn a_server_that_never_was_there_is_not_waited_for() {
        let refused = Trouble::Unconnected("refused".to_owned());
        assert!(refused.pause(Situation { answered_before: false, ..FIRST }).is_none());
        assert!(refused.pause(FIRST).is_some());
    }

    #[test]
    fn what_never_speaks_http_is_given_up_soon() {
        let broken = Trouble::Broken("reset".to_owned());
        let first = Situation { answered_before: false, ..FIRST };
        assert!(broken.pause(first).is_some());
        assert!(broken.pause(Situation { attempts: 4, ..first }).is_none());
        assert!(broken.pause(Situation { attempts: 4, ..FIRST }).is_some());
    }

    #[test]
    fn the_users_number_of_retries_counts() {
        let of = |most| busy(None).pause(Situation { max_retries: Some(most), ..FIRST });
        assert!(of(0).is_none());
        assert!(of(1).is_some());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Fri, 02 Jan 2026 03:04:05 GMT").unwrap();
        assert_eq!(retry_after("2", now), Some(Duration::from_secs(2)));
        let date = "Fri, 02 Jan 2026 03:04:15 GMT";
        assert_eq!(retry_after(date, now), Some(Duration::from_secs(10)));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
    }
}
