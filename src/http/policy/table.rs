//! Rows, each with its handler: there is no other way to add a route.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::super::{Door, admission};
use super::row::{Audit, Class, Face, Forgery, Pass, Row};

/// Routes with their rows.
pub struct Table {
    face: Face,
    routes: Vec<(Row, MethodRouter<Door>)>,
}

/// A method and a path.
pub struct Address {
    method: Method,
    path: &'static str,
}

/// `GET` of this path, and `HEAD`.
pub fn get(path: &'static str) -> Address {
    Address { method: Method::GET, path }
}

/// `POST` to this path.
pub fn post(path: &'static str) -> Address {
    Address { method: Method::POST, path }
}

/// `PATCH` of this path.
pub fn patch(path: &'static str) -> Address {
    Address { method: Method::PATCH, path }
}

/// `DELETE` of this path.
pub fn delete(path: &'static str) -> Address {
    Address { method: Method::DELETE, path }
}

impl Table {
    /// No rows yet, all for those who are expected at `face`.
    pub(super) fn of(face: Face) -> Self {
        Self { face, routes: Vec::new() }
    }

    /// One row more, and what answers there.
    pub(super) fn row<H, T>(
        mut self,
        Address { method, path }: Address,
        may: &'static [Pass],
        class: Class,
        forgery: Forgery,
        audit: Audit,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Door>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("a method that routes may have");
        let row = Row { method, path, face: self.face, may, class, forgery, audit };
        self.routes.push((row, on(filter, handler)));
        self
    }

    /// These rows and those.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.routes.extend(other.routes);
        self
    }

    /// Every row.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.routes.iter().map(|(row, _)| row)
    }

    /// What answers at these routes: nobody gets through to it but as its row says.
    pub(in super::super) fn router(self, door: &Door) -> Router<Door> {
        self.routes.into_iter().fold(Router::new(), |router, (row, answers)| {
            let path = row.path;
            let gate = admission::Gate::new(door.clone(), row);
            let admit = middleware::from_fn_with_state(gate, admission::admit);
            router.route(path, answers.route_layer(admit))
        })
    }
}
