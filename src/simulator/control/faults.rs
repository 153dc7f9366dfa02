//! `/simulator/faults`: arming, showing and disarming faults, and reading what a script wrote.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::complaint::{Complaint, json_body, members};
use crate::simulator::Simulator;
use crate::simulator::armed::Armed;
use crate::simulator::call::Asked;
use crate::simulator::fault::{Aim, Fault, FaultKind, Latency, Shape, Wording};

/// The members of a fault, as a script writes them.
const MEMBERS: &[&str] = &[
    "fault",
    "times",
    "method",
    "user",
    "calendar",
    "probability",
    "after",
    "nth",
    "for_secs",
    "secs",
    "for_ms",
    "from_secs",
    "from",
    "until",
    "latency_ms",
    "status",
    "reason",
    "message",
    "body",
    "retry_after",
];

#[derive(Deserialize)]
struct Written {
    fault: String,
    times: Option<u64>,
    method: Option<String>,
    user: Option<String>,
    calendar: Option<String>,
    probability: Option<f64>,
    after: Option<u64>,
    nth: Option<u64>,
    #[serde(alias = "secs")]
    for_secs: Option<u32>,
    for_ms: Option<u32>,
    from_secs: Option<u32>,
    from: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    latency_ms: Option<Latency>,
    status: Option<u16>,
    reason: Option<String>,
    message: Option<String>,
    body: Option<Shape>,
    retry_after: Option<u32>,
}

/// Arms one fault, or all of a list; or none, if one of them cannot be read.
pub(super) async fn add(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let faults = match json_body(&asked.body) {
        Ok(Value::Array(list)) => list
            .into_iter()
            .enumerate()
            .map(|(place, one)| read(one).map_err(|wrong| wrong.inside(&format!("[{place}]"))))
            .collect(),
        Ok(one) => read(one).map(|fault| vec![fault]),
        Err(wrong) => Err(wrong),
    };
    match faults {
        Ok(faults) => {
            let now = simulator.now();
            let mut state = simulator.state();
            let numbers: Vec<u64> =
                faults.into_iter().map(|fault| state.faults.add(fault, now)).collect();
            Json(json!({"added": numbers.len(), "numbers": numbers})).into_response()
        }
        Err(wrong) => wrong.into_response(),
    }
}

pub(super) async fn clear(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let Some(number) = asked.parameters.get("number") else {
        simulator.clear_faults();
        return StatusCode::NO_CONTENT.into_response();
    };
    match number.parse() {
        Ok(number) if simulator.state().faults.remove(number) => {
            StatusCode::NO_CONTENT.into_response()
        }
        _ => {
            let next = "GET /simulator/faults tells the numbers of those that are armed.";
            let wrong = Complaint::new("number", "is no armed fault's", next);
            wrong.with_status(StatusCode::NOT_FOUND).into_response()
        }
    }
}

pub(super) async fn show(Shared(simulator): Shared<Simulator>) -> Response {
    let unused = simulator.unused_faults();
    let armed: Vec<Value> = simulator.state().faults.all().map(Armed::shown).collect();
    Json(json!({"unused": unused, "armed": armed})).into_response()
}

/// Reads a fault as a script wrote it.
pub(in crate::simulator) fn read(value: Value) -> Result<Fault, Complaint> {
    let written: Written = members(value, MEMBERS)?;
    let kind = FaultKind::ALL.iter().copied().find(|kind| kind.name() == written.fault);
    let kind = kind.ok_or_else(|| {
        let names: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
        let rule = format!("there is no fault {:?}", written.fault);
        Complaint::unknown("fault", &rule, &written.fault, &names)
    })?;
    written.check(kind)?;
    Ok(Fault {
        kind,
        aim: Aim {
            times: if written.nth.is_some() { Some(1) } else { written.times },
            method: written.method,
            user: written.user,
            calendar: written.calendar,
            probability: written.probability,
            after: written.nth.map_or(written.after.unwrap_or(0), |nth| nth - 1),
            from: written.from,
            from_secs: written.from_secs,
            until: written.until,
        },
        secs: written.for_secs,
        millis: written.for_ms,
        latency_ms: written.latency_ms,
        wording: Wording {
            status: written.status,
            reason: written.reason,
            message: written.message,
            body: written.body,
            retry_after: written.retry_after,
        },
    })
}

impl Written {
    fn check(&self, kind: FaultKind) -> Result<(), Complaint> {
        let wrong = |field, rule, next| Err(Complaint::new(field, rule, next));
        if self.probability.is_some_and(|part| !(0.0..=1.0).contains(&part)) {
            return wrong("probability", "must be from 0 to 1", "For 20 of 100 calls, write 0.2.");
        }
        if self.nth == Some(0) {
            return wrong("nth", "counts from 1", "For the first fitting call, write 1.");
        }
        if self.nth.is_some() && (self.times.is_some() || self.after.is_some()) {
            let rule = "stands for after and times, and goes with neither";
            return wrong("nth", rule, "Leave them out, or nth.");
        }
        if self.for_secs.is_some() && self.for_ms.is_some() {
            return wrong("for_ms", "does not go with for_secs", "Give one of the two.");
        }
        if self.from.is_some() && self.from_secs.is_some() {
            return wrong("from_secs", "does not go with from", "Give one of the two.");
        }
        if self.from.zip(self.until).is_some_and(|(from, until)| until <= from) {
            return wrong("until", "must be later than from", "Exchange the two?");
        }
        if let Some(latency) = self.latency_ms {
            if kind != FaultKind::Slow {
                return wrong("latency_ms", "goes with the fault slow only", "Leave it out.");
            }
            if self.for_secs.is_some() || self.for_ms.is_some() {
                let next = "Give either a fixed time or percentiles.";
                return wrong("latency_ms", "does not go with for_secs or for_ms", next);
            }
            if latency.p99 < latency.p50 {
                let rule = "must not be less than p50";
                return wrong("latency_ms.p99", rule, "Exchange the two?");
            }
        }
        self.check_wording(kind)
    }

    fn check_wording(&self, kind: FaultKind) -> Result<(), Complaint> {
        let wrong = |field, rule, next| Err(Complaint::new(field, rule, next));
        let is_status = kind == FaultKind::Status;
        let next = "Say {\"fault\": \"status\", \"status\": 503}.";
        match self.status {
            None if is_status => return wrong("status", "is needed by the fault status", next),
            Some(_) if !is_status => {
                return wrong("status", "goes with the fault status only", next);
            }
            Some(status) if !(400..=599).contains(&status) => {
                return wrong("status", "must be from 400 to 599", next);
            }
            _ => {}
        }
        let words = [
            ("reason", self.reason.is_some()),
            ("message", self.message.is_some()),
            ("body", self.body.is_some()),
        ];
        let worded = is_status || kind == FaultKind::TimeoutAfterCommit;
        match words.into_iter().find(|(_, given)| *given && !worded) {
            Some((name, _)) => {
                let rule = "goes with the faults status and timeout_after_commit only";
                wrong(name, rule, "Leave it out, or take the fault status.")
            }
            None => Ok(()),
        }
    }
}
