// SPDX-License-Identifier: LGPL-2.1-or-later
//! Who the peer is: certificates and pre-shared keys.

use super::*;

#[test]
fn addresses_are_verified_like_names() {
    for name in ["127.0.0.1", "::1", "[::1]", "localhost", "server.test."] {
        let mut scene = Scene::new();
        scene.name = name;
        scene.succeeds();
    }
}

#[test]
fn a_bad_certificate_is_refused_with_its_reason_and_the_peer_learns_it() {
    use CertificateProblem::*;
    let cases: [(&str, &str, &str, CertificateProblem, Alert); 7] = [
        (
            "server.pem",
            "ca.pem",
            "wrong.test",
            WrongName,
            Alert::BAD_CERTIFICATE,
        ),
        (
            "server.pem",
            "ca.pem",
            "127.0.0.2",
            WrongName,
            Alert::BAD_CERTIFICATE,
        ),
        (
            "server.pem",
            "ca.pem",
            "::2",
            WrongName,
            Alert::BAD_CERTIFICATE,
        ),
        (
            "server.pem",
            "other-ca.pem",
            "server.test",
            UnknownIssuer,
            Alert::UNKNOWN_CA,
        ),
        (
            "expired.pem",
            "ca.pem",
            "server.test",
            Expired,
            Alert::CERTIFICATE_EXPIRED,
        ),
        (
            "future.pem",
            "ca.pem",
            "server.test",
            NotYetValid,
            Alert::CERTIFICATE_EXPIRED,
        ),
        (
            "client.pem",
            "ca.pem",
            "client.test",
            WrongPurpose,
            Alert::BAD_CERTIFICATE,
        ),
    ];
    for (certificate, trust, name, problem, alert) in cases {
        let mut scene = Scene::new();
        scene.certificate = Some(certificate);
        scene.trust = Trust::File(data(trust));
        scene.name = name;
        let (client, server) = scene.fails();
        let Error::Certificate(err) = &client else {
            panic!("{certificate} {name}: {client}");
        };
        assert_eq!(err.problems().first(), Some(&problem), "{err}");
        assert_eq!(client.alert(), Some(alert), "{client}");
        assert_eq!(peer_alert(&server), Some(alert), "{server}");
    }
}

#[test]
fn without_verification_any_certificate_will_do() {
    let mut scene = Scene::new();
    scene.certificate = Some("expired.pem");
    scene.name = "wrong.test";
    scene.trust = Trust::InsecureNoVerification;
    scene.succeeds();
}

#[test]
fn a_client_shows_its_certificate_when_asked() {
    let trust = || Trust::File(data("ca.pem"));
    for (auth, key, ok) in [
        (ClientAuth::Require(trust()), Some("client.pem"), true),
        (ClientAuth::Request(trust()), Some("client.pem"), true),
        (ClientAuth::Request(trust()), None, true),
        (ClientAuth::Require(trust()), None, false),
        (ClientAuth::Require(trust()), Some("server.pem"), false),
        (
            ClientAuth::Require(Trust::File(data("other-ca.pem"))),
            Some("client.pem"),
            false,
        ),
    ] {
        let text = format!("{auth:?} {key:?}");
        let mut scene = Scene::new();
        scene.auth = auth;
        scene.client_key = key;
        let ((_, server), _) = scene.run();
        match server {
            Ok(mut server) => {
                assert!(ok, "{text}");
                assert_eq!(
                    server.session.as_ref().has_peer_certificate(),
                    key.is_some()
                );
            }
            Err(err) => {
                assert!(!ok, "{text}: {err}");
                assert!(matches!(err, Error::Certificate(_)), "{text}: {err:?}");
            }
        }
    }
}

#[test]
fn a_common_pre_shared_key_needs_no_certificate() {
    let mut scene = Scene::new();
    scene.certificate = None;
    scene.client_psk = Some(Psk::new("me".into(), vec![1; 32]).unwrap());
    scene.psks = keys(&[("you", &[2; 32]), ("me", &[1; 32])]);
    scene.succeeds();
}

#[test]
fn a_wrong_or_unknown_pre_shared_key_is_refused() {
    for (psks, alert) in [
        (keys(&[("me", &[2; 32])]), Alert::DECRYPT_ERROR),
        (keys(&[("you", &[1; 32])]), Alert::UNKNOWN_PSK_IDENTITY),
    ] {
        let mut scene = Scene::new();
        scene.certificate = None;
        scene.client_psk = Some(Psk::new("me".into(), vec![1; 32]).unwrap());
        scene.psks = psks;
        let (client, server) = scene.fails();
        assert_eq!(server.alert(), Some(alert), "{server}");
        assert_eq!(peer_alert(&client), Some(alert), "{client}");
    }
}
