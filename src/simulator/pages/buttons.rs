//! What the buttons of the pages do.

use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde_json::json;

use crate::simulator::Simulator;
use crate::simulator::call::{Asked, Parameters};
use crate::simulator::control::{Complaint, read_fault};

/// Does what a button says, then sends the browser back to its page.
pub(super) async fn press(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let form = asked.form();
    if let Err(wrong) = simulator.press(&form) {
        return wrong.into_response();
    }
    // A path of our own: `//host` would lead away, and `\` is read as `/`.
    let back = form.get("back").filter(|path| {
        path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\n', '\r'])
    });
    let headers = [(header::LOCATION, back.unwrap_or("/").to_owned())];
    (StatusCode::SEE_OTHER, headers).into_response()
}

impl Simulator {
    fn press(&self, form: &Parameters) -> Result<(), Complaint> {
        let needed = |name: &str| {
            let next = "Use the buttons of the pages, or /simulator/faults and its like.";
            form.get(name).ok_or_else(|| Complaint::new(name, "is needed by this button", next))
        };
        let number = |name: &str| {
            let wrong = |_| Complaint::new(name, "must be a whole number", "Try 1.");
            needed(name)?.parse::<u32>().map_err(wrong)
        };
        match needed("press")? {
            "fault" => {
                let mut fault = json!({"fault": needed("fault")?, "user": form.get("user")});
                if form.get("times").is_some() {
                    fault["times"] = number("times")?.into();
                }
                if fault["fault"] == "status" {
                    fault["status"] = number("status")?.into();
                }
                self.add_fault(read_fault(fault)?);
            }
            "disarm" => {
                let number = number("number")?.into();
                self.state().faults.remove(number);
            }
            "clear" => self.clear_faults(),
            "revoke" => self.revoke_grants(needed("user")?),
            "expire" => self.expire_access_tokens(),
            "advance" => {
                let by = TimeDelta::seconds(number("secs")?.into());
                let next = "Start the simulator with [clock] mode = \"fixed\" to move it.";
                let wrong = Complaint::new("(clock)", "is real and cannot be moved", next);
                let manual = self.manual_clock().ok_or(wrong)?;
                let now = self.now();
                manual.set(now.checked_add_signed(by).unwrap_or(now));
            }
            "reset" => self.reset(),
            other => {
                let known = ["fault", "disarm", "clear", "revoke", "expire", "advance", "reset"];
                return Err(Complaint::unknown("press", "is no button", other, &known));
            }
        }
        Ok(())
    }
}
