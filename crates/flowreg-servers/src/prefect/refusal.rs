//! What a server said when it said no, fit to be shown.
//!
//! Prefect's validation errors echo the whole request, secrets included. So only the words about
//! what is wrong are taken, never `request_body` and never `input` (docs/facts/prefect.md,
//! "Errors").

use serde_json::Value;

/// How much of a server's words is shown.
const LONGEST: usize = 600;

/// The server's own words out of an error's body, or `None` if there are none.
pub(super) fn words<'a>(body: &[u8], secrets: impl Iterator<Item = &'a str>) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = match body.get("detail") {
        Some(Value::String(detail)) => detail.clone(),
        Some(Value::Array(details)) => validation(details)?,
        // GraphQL, of Prefect 1.
        _ if body.get("errors").is_some() => graphql(body.get("errors")?.as_array()?)?,
        _ => match body.get("exception_detail") {
            Some(Value::Array(details)) => validation(details)?,
            Some(Value::String(detail)) => detail.clone(),
            _ => body.get("exception_message")?.as_str()?.to_owned(),
        },
    };
    let text = secrets.fold(text, |text, secret| text.replace(secret, "***"));
    Some(shortened(text.trim())).filter(|text| !text.is_empty())
}

/// The words of a validation error. A value that may be one of several kinds gets an error for
/// each kind that it is not; the `value_error` among them names the actual cause.
fn validation(details: &[Value]) -> Option<String> {
    let kind = |detail: &&Value| detail.get("type").and_then(Value::as_str) == Some("value_error");
    let mut chosen: Vec<&Value> = details.iter().filter(kind).collect();
    if chosen.is_empty() {
        chosen = details.iter().take(3).collect();
    }
    let mut texts: Vec<String> = chosen.into_iter().filter_map(one).collect();
    texts.dedup();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// The messages of a GraphQL answer.
fn graphql(errors: &[Value]) -> Option<String> {
    let messages = errors.iter().filter_map(|error| error.get("message")?.as_str());
    let mut messages: Vec<&str> = messages.take(3).collect();
    messages.dedup();
    (!messages.is_empty()).then(|| messages.join("; "))
}

fn one(detail: &Value) -> Option<String> {
    let message = detail.get("msg")?.as_str()?;
    let message = message.strip_prefix("Value error, ").unwrap_or(message);
    let place: Vec<String> = detail
        .get("loc")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|part| match part {
            Value::String(name) if name == "body" => None,
            Value::String(name) => Some(name.clone()),
            Value::Number(index) => Some(index.to_string()),
            _ => None,
        })
        .collect();
    Some(if place.is_empty() {
        message.to_owned()
    } else {
        format!("{}: {message}", place.join("."))
    })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_validators_words_are_taken_and_the_echo_is_not() {
        let body = br#"{"exception_message":"Invalid request received.","exception_detail":[
            {"type":"missing","loc":["body","schedules",0,"schedule","IntervalSchedule","interval"],
             "msg":"Field required","input":{"cron":"s3cret"}},
            {"type":"value_error","loc":["body","schedules",0,"schedule","CronSchedule","cron"],
             "msg":"Value error, Invalid cron string: 'x y'","input":"s3cret"}],
            "request_body":{"parameters":{"token":"s3cret"}}}"#;
        assert_eq!(
            words(body, std::iter::empty()).unwrap(),
            "schedules.0.schedule.CronSchedule.cron: Invalid cron string: 'x y'"
        );
    }

    #[test]
    fn secrets_of_the_connection_are_taken_out() {
        let body = br#"{"detail":"no such key pnu_1"}"#;
        assert_eq!(words(body, ["pnu_1"].into_iter()).unwrap(), "no such key ***");
    }

    #[test]
    fn bodies_that_are_no_json_have_no_words() {
        assert_eq!(words(b"<html>", std::iter::empty()), None);
        assert_eq!(words(b"{}", std::iter::empty()), None);
    }
}
