//! Categories and tasks as they are written into envelopes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::content::{OriginalForm, RecurrenceForm, TimingForm};
use super::{FORM, damaged, read, write};
use crate::app::{App, Error};
use crate::model::category::Category;
use crate::model::event::Alert;
use crate::model::item::Item;
use crate::model::routine::Routine;
use crate::model::sealed::Sealed;
use crate::model::task::{Dates, Task};
use crate::model::timing::Original;

/// The form of tasks.
const TASK_FORM: u8 = 2;

#[derive(Serialize, Deserialize)]
struct CategoryForm {
    name: String,
    color: Option<String>,
    calendar: Option<String>,
    visibility: Option<String>,
    alerts: Option<Vec<(String, u32)>>,
    notify: Option<String>,
    meet: Option<bool>,
    completion: Option<String>,
}

/// A task as it was written until tasks could recur.
#[derive(Deserialize)]
struct FirstTaskForm {
    title: String,
    notes: String,
    dates: Option<DatesForm>,
    priority: String,
    calendar: Option<String>,
    meet: Option<bool>,
    completion: Option<String>,
    completed: Option<DateTime<Utc>>,
    events: u32,
}

/// A task as it is written.
#[derive(Serialize, Deserialize)]
struct TaskForm {
    title: String,
    notes: String,
    dates: Option<DatesForm>,
    routine: Option<RoutineForm>,
    priority: String,
    whose: Option<String>,
    calendar: Option<String>,
    meet: Option<bool>,
    completion: Option<String>,
    completed: Option<DateTime<Utc>>,
    events: u32,
}

#[derive(Serialize, Deserialize)]
struct RoutineForm {
    recurrence: RecurrenceForm,
    done: Vec<OriginalForm>,
    before: Vec<OriginalForm>,
}

#[derive(Serialize, Deserialize)]
enum DatesForm {
    Due(TimingForm),
    Planned(TimingForm),
}

impl App {
    /// Seals what a category says, for the item's version.
    pub(in crate::app) fn seal_category(
        &self,
        item: &Item,
        category: &Category,
    ) -> Result<Sealed, Error> {
        let alert = |alert: &Alert| (alert.by().as_str().to_owned(), alert.minutes());
        let form = CategoryForm {
            name: category.name.clone(),
            color: category.color.map(|color| color.as_str().to_owned()),
            calendar: category.calendar.clone(),
            visibility: category.visibility.map(|visibility| visibility.as_str().to_owned()),
            alerts: category.alerts.as_ref().map(|alerts| alerts.iter().map(alert).collect()),
            notify: category.notify.map(|notify| notify.as_str().to_owned()),
            meet: category.meet,
            completion: category.completion.map(|completion| completion.as_str().to_owned()),
        };
        self.seal_item(item, &write(FORM, &form))
    }

    /// What a category says.
    pub fn category(&self, item: &Item) -> Result<Category, Error> {
        let form: CategoryForm = read(FORM, &self.open_item(item)?)?;
        let alert = |(by, minutes): (String, u32)| Alert::new(by.parse()?, minutes);
        let alerts = form.alerts.map(|alerts| alerts.into_iter().map(alert).collect());
        Ok(Category {
            name: form.name,
            color: form.color.map(|color| color.parse()).transpose()?,
            calendar: form.calendar,
            visibility: form.visibility.map(|visibility| visibility.parse()).transpose()?,
            alerts: alerts.transpose()?,
            notify: form.notify.map(|notify| notify.parse()).transpose()?,
            meet: form.meet,
            completion: form.completion.map(|completion| completion.parse()).transpose()?,
        })
    }

    /// Seals what a task says, for the item's version.
    pub(in crate::app) fn seal_task(&self, item: &Item, task: &Task) -> Result<Sealed, Error> {
        let form = TaskForm {
            title: task.title.clone(),
            notes: task.notes.clone(),
            dates: task.dates.as_ref().map(|dates| match dates {
                Dates::Due(timing) => DatesForm::Due(timing.into()),
                Dates::Planned(timing) => DatesForm::Planned(timing.into()),
            }),
            routine: task.routine.as_ref().map(RoutineForm::from),
            priority: task.priority.as_str().to_owned(),
            whose: task.whose.map(|whose| whose.as_str().to_owned()),
            calendar: task.calendar.clone(),
            meet: task.meet,
            completion: task.completion.map(|completion| completion.as_str().to_owned()),
            completed: task.completed,
            events: task.events,
        };
        self.seal_item(item, &write(TASK_FORM, &form))
    }

    /// What a task says.
    pub fn task(&self, item: &Item) -> Result<Task, Error> {
        let plain = self.open_item(item)?;
        let form: TaskForm = if plain.first() == Some(&TASK_FORM) {
            read(TASK_FORM, &plain)?
        } else {
            read::<FirstTaskForm>(FORM, &plain)?.into()
        };
        let dates = |dates| -> Result<Dates, Error> {
            Ok(match dates {
                DatesForm::Due(timing) => Dates::Due(timing.try_into()?),
                DatesForm::Planned(timing) => Dates::Planned(timing.try_into()?),
            })
        };
        Ok(Task {
            title: form.title,
            notes: form.notes,
            dates: form.dates.map(dates).transpose()?,
            routine: form.routine.map(Routine::from),
            priority: form.priority.parse()?,
            whose: form.whose.map(|whose| whose.parse()).transpose()?,
            calendar: form.calendar,
            meet: form.meet,
            completion: form.completion.map(|completion| completion.parse()).transpose()?,
            completed: form.completed,
            events: form.events,
        })
    }

    pub(super) fn seal_item(&self, item: &Item, plain: &[u8]) -> Result<Sealed, Error> {
        self.seal("item", &item.owner, (item.id.as_u128(), "body", item.version), plain)
    }

    pub(super) fn open_item(&self, item: &Item) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
        let sealed = item.sealed.as_ref().ok_or_else(|| damaged("an item says nothing"))?;
        self.open("item", &item.owner, (item.id.as_u128(), "body", item.version), sealed)
    }
}

impl From<FirstTaskForm> for TaskForm {
    fn from(form: FirstTaskForm) -> Self {
        Self {
            title: form.title,
            notes: form.notes,
            dates: form.dates,
            routine: None,
            priority: form.priority,
            whose: None,
            calendar: form.calendar,
            meet: form.meet,
            completion: form.completion,
            completed: form.completed,
            events: form.events,
        }
    }
}

impl From<&Routine> for RoutineForm {
    fn from(routine: &Routine) -> Self {
        let forms = |originals: &[Original]| originals.iter().map(OriginalForm::from).collect();
        Self {
            recurrence: (&routine.recurrence).into(),
            done: forms(&routine.done),
            before: forms(&routine.before),
        }
    }
}

impl From<RoutineForm> for Routine {
    fn from(form: RoutineForm) -> Self {
        let originals = |forms: Vec<OriginalForm>| forms.into_iter().map(Original::from).collect();
        Self {
            recurrence: form.recurrence.into(),
            done: originals(form.done),
            before: originals(form.before),
        }
    }
}
