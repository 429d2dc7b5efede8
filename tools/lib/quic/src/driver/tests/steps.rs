// SPDX-License-Identifier: LGPL-2.1-or-later
//! Handshakes that do not wait, both in one thread.

use std::sync::Arc;

use super::{
    pipe::End,
    Scene, //
};
use crate::{
    driver::steps::{
        Need,
        Steps, //
    },
    error::{
        Alert,
        CertificateProblem,
        Error, //
    },
};

/// Turns that a handshake may take at most.
const TURNS: usize = 100;

/// A socket and the handshake on it.
type Side = (Arc<End>, Steps<End>);

/// Both sides in turn, until both are done or one fails: which one, and why.
fn alternate(scene: Scene) -> Result<[Side; 2], (usize, Error)> {
    let mut sides = scene.prepare().map(|(end, prepared)| {
        let steps = Steps::new(Arc::clone(&end), prepared).unwrap();
        (end, steps)
    });
    for _ in 0..TURNS {
        let mut done = 0;
        for (nr, (_, steps)) in sides.iter_mut().enumerate() {
            match steps.advance().map_err(|err| (nr, err))? {
                Need::Nothing => done += 1,
                Need::Readable => {}
                Need::Writable => panic!("the pipe takes everything"),
            }
        }
        if done == 2 {
            return Ok(sides);
        }
    }
    panic!("it does not end");
}

#[test]
fn one_thread_runs_both_sides_in_turn() {
    let mut scene = Scene::new();
    // Messages arrive in pieces, so that each side has to wait in the midst of them.
    scene.ends.0.piece = 70;
    scene.ends.1.piece = 70;
    let [(client_end, client), (server_end, server)] = alternate(scene).unwrap();
    let (mut sent, mut received) = (client_end.secrets(), server_end.secrets());
    for list in [&mut sent, &mut received] {
        list.sort_by_key(|secret| (secret.level, secret.bytes.clone()));
    }
    let bytes = |list: &[super::pipe::Secret]| -> Vec<_> {
        list.iter().map(|secret| secret.bytes.clone()).collect()
    };
    assert_eq!(bytes(&sent), bytes(&received));
    assert_eq!(sent.len(), 4);
    assert!(client.finish().items.is_empty() && server.finish().items.is_empty());
    assert!(!client_end.ticket().is_empty());
}

#[test]
fn a_refusal_ends_the_steps_and_is_told() {
    let mut scene = Scene::new();
    scene.name = "wrong.test";
    match alternate(scene).err().unwrap() {
        (0, Error::Certificate(err)) => assert!(err.is(CertificateProblem::WrongName)),
        (nr, err) => panic!("{nr}: {err}"),
    }
}

#[test]
fn what_was_given_up_is_told_to_the_peer() {
    let [(_, client), (server_end, server)] = Scene::new().prepare();
    let mut server = Steps::new(server_end, server).unwrap();
    assert_eq!(server.advance().unwrap(), Need::Readable);
    let client = Steps::new(Arc::new(super::pipe::pair().0), client).unwrap();
    let late = client.give_up(Error::Timeout("waiting"));
    assert!(matches!(late, Error::Timeout(_)));
    let refused = Error::Tls {
        alert: Some(Alert::INTERNAL_ERROR),
        reason: "a reason".into(),
    };
    server.give_up(refused);
    match server.advance() {
        Err(Error::PeerAlert(alert, _)) => assert_eq!(alert, Alert::INTERNAL_ERROR),
        other => panic!("{other:?}"),
    }
}
