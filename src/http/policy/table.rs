//! Rows, each with its handler: there is no other way to add a route.

use std::collections::BTreeMap;

use axum::Router;
use axum::handler::Handler;
use axum::http::{HeaderValue, Method};
use axum::middleware;
use axum::routing::{MethodFilter, MethodRouter, on, options};

use super::super::{Door, admission, cross_origin};
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

/// `PUT` to this path.
pub fn put(path: &'static str) -> Address {
    Address { method: Method::PUT, path }
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

    /// What answers at these routes: nobody gets through to it but as its row says. Pages of these
    /// `origins` may call what other sites may ever call.
    pub(in super::super) fn router(self, door: &Door, origins: &[HeaderValue]) -> Router<Door> {
        let mut open: BTreeMap<&'static str, Vec<Method>> = BTreeMap::new();
        for row in self.rows().filter(|row| !origins.is_empty() && cross_origin::is_open(row)) {
            open.entry(row.path).or_default().push(row.method.clone());
        }
        let mut router = Router::new();
        for (row, answers) in self.routes {
            let path = row.path;
            let shared = cross_origin::is_open(&row).then(|| open.get(path)).flatten();
            let gate = admission::Gate::new(door.clone(), row);
            let answers =
                answers.route_layer(middleware::from_fn_with_state(gate, admission::admit));
            router = router.route(
                path,
                match shared {
                    Some(methods) => {
                        answers.route_layer(cross_origin::layer(origins, methods.clone()))
                    }
                    None => answers,
                },
            );
        }
        for (path, methods) in open {
            // What asks before a request is answered by the layer.
            let asks = options(|| async {}).route_layer(cross_origin::layer(origins, methods));
            router = router.route(path, asks);
        }
        router
    }
}
