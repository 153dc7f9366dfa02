//! Tokens that are not the application's, or not as it would make them: each is refused with one and
//! the same answer.

use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::application::{AUDIENCE, ISSUER, SECRET, Shop, WAYS, Way, part, signed};

type Forgery = (&'static str, String);

/// Shows each to the shop; all are refused alike.
async fn all_refused(shop: &Shop, forgeries: Vec<Forgery>) -> usize {
    assert!(shop.lets_in(&shop.token("ana")).await, "a good one is taken");
    let alike = |answer: &crate::bridge::Answer| {
        let mut told = answer.json();
        told.as_object_mut().expect("a problem").remove("request_id").expect("its own id");
        (answer.status, told, answer.header("www-authenticate").to_owned())
    };
    let first = alike(&shop.show("a.b.c").await);
    assert_eq!((first.0, first.1["code"].clone()), (401, json!("token_refused")));
    for (name, token) in &forgeries {
        let answer = shop.show(token).await;
        assert_eq!(alike(&answer), first, "{:?}: {name}", shop.way);
    }
    forgeries.len()
}

fn with(mut object: Value, member: &str, value: Value) -> Value {
    object[member] = value;
    object
}

fn without(mut object: Value, member: &str) -> Value {
    object.as_object_mut().expect("an object").remove(member).expect("it was there");
    object
}

/// Signed by the right key, but with this member of the header.
fn headed(shop: &Shop, member: &str, value: Value) -> String {
    shop.sign(&with(shop.header(), member, value), &shop.claims("ana"))
}

/// Signed by the right key, but with this claim.
fn claiming(shop: &Shop, member: &str, value: Value) -> String {
    shop.sign(&shop.header(), &with(shop.claims("ana"), member, value))
}

/// Signed by the right key, but without this claim.
fn silent(shop: &Shop, member: &str) -> String {
    shop.sign(&shop.header(), &without(shop.claims("ana"), member))
}

/// The claims of a good token with one more member in front, as text.
fn doubled(object: &Value, member: &str) -> String {
    object.to_string().replacen('{', &format!("{{{member},"), 1)
}

fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    format!("{}.{}.{signature}", part(header.to_string()), part(claims.to_string()))
}

fn in_another_shape(shop: &Shop) -> Vec<Forgery> {
    let good = shop.token("ana");
    let [header, claims, signature] =
        good.split('.').collect::<Vec<_>>().try_into().expect("three parts");
    let none = |alg: &str| unsigned(&json!({"alg": alg, "typ": "JWT"}), &shop.claims("ana"), "");
    let own = |alg: &str| {
        let header = with(shop.header(), "alg", json!(alg));
        unsigned(&header, &shop.claims("ana"), signature)
    };
    let flipped = if signature.starts_with('A') { 'B' } else { 'A' };
    vec![
        ("alg none", none("none")),
        ("alg None", none("None")),
        ("alg NONE", none("NONE")),
        ("alg nOnE", none("nOnE")),
        ("alg none with the signature of a good one", own("none")),
        ("alg empty", own("")),
        ("alg in small letters", own(&shop.way.name().to_lowercase())),
        ("alg that nobody knows", own("XS256")),
        ("alg as a number", headed(shop, "alg", json!(256))),
        ("alg as a list", headed(shop, "alg", json!([shop.way.name()]))),
        ("alg null", headed(shop, "alg", Value::Null)),
        ("no alg", shop.sign(&without(shop.header(), "alg"), &shop.claims("ana"))),
        ("empty signature", format!("{header}.{claims}.")),
        ("no signature", format!("{header}.{claims}")),
        ("empty claims", format!("{header}..{signature}")),
        ("empty header", format!(".{claims}.{signature}")),
        ("only dots", "..".to_owned()),
        ("four parts", format!("{good}.{signature}")),
        ("a dot behind", format!("{good}.")),
        ("a dot in front", format!(".{good}")),
        (
            "five parts, as one that is encrypted",
            format!("{header}.{claims}.{claims}.{claims}.{signature}"),
        ),
        ("one letter of the signature", format!("{header}.{claims}.{flipped}{}", &signature[1..])),
        ("half a signature", format!("{header}.{claims}.{}", &signature[..signature.len() / 2])),
        ("a longer signature", format!("{header}.{claims}.{signature}AAAA")),
        ("padding", format!("{good}=")),
        ("a space inside", format!("{header}. {claims}.{signature}")),
        ("a tab inside", format!("{header}.{claims}\t.{signature}")),
        (
            "letters of another base64",
            format!("{header}.{claims}.{}+/", &signature[..signature.len() - 2]),
        ),
        ("other claims under a good signature", {
            let claims = part(shop.claims("bob").to_string());
            format!("{header}.{claims}.{signature}")
        }),
        ("oversize", claiming(shop, "note", json!("x".repeat(9000)))),
        ("nested", headed(shop, "cty", json!("JWT"))),
        ("typ of another kind", headed(shop, "typ", json!("JWE"))),
        ("typ as a number", headed(shop, "typ", json!(1))),
    ]
}

fn with_keys_of_its_own(shop: &Shop) -> Vec<Forgery> {
    let algorithm: Algorithm = shop.way.name().parse().expect("a known name");
    let theirs = |header: &Value| {
        signed(
            &header.to_string(),
            &shop.claims("ana").to_string(),
            algorithm,
            &shop.way.key(false),
        )
    };
    let jwk = if shop.way == Way::Hs256 {
        json!({"kty": "oct", "k": "AAAA"})
    } else {
        shop.way.public(false, "main")
    };
    let address = json!("https://attacker.example.com/keys");
    vec![
        ("another key's signature", theirs(&shop.header())),
        ("jwk with its signature", theirs(&with(shop.header(), "jwk", jwk.clone()))),
        ("jwk", headed(shop, "jwk", jwk)),
        ("jku with its signature", theirs(&with(shop.header(), "jku", address.clone()))),
        ("jku", headed(shop, "jku", address.clone())),
        ("x5u", headed(shop, "x5u", address)),
        ("x5c", headed(shop, "x5c", json!(["MIIB"]))),
        ("crit", headed(shop, "crit", json!(["exp"]))),
        ("crit, empty", headed(shop, "crit", json!([]))),
        ("b64", headed(shop, "b64", json!(false))),
        ("zip", headed(shop, "zip", json!("DEF"))),
        ("enc", headed(shop, "enc", json!("A128GCM"))),
        ("kid empty", headed(shop, "kid", json!(""))),
        ("kid null", headed(shop, "kid", Value::Null)),
        ("kid as a number", headed(shop, "kid", json!(0))),
        ("kid as a list", headed(shop, "kid", json!(["main"]))),
        ("kid without end", headed(shop, "kid", json!("m".repeat(129)))),
    ]
}

fn with_other_claims(shop: &Shop) -> Vec<Forgery> {
    let huge = "{\"exp\":99999999999999999999,\"aud\":\"calbridge\",\"sub\":\"ana\",\"iss\":\"https://shop.example.com\"}";
    vec![
        ("another aud", claiming(shop, "aud", json!("billing"))),
        ("aud in other letters", claiming(shop, "aud", json!("Calbridge"))),
        ("aud with more behind", claiming(shop, "aud", json!("calbridge.example.com"))),
        ("aud, a list without us", claiming(shop, "aud", json!(["billing", "mail"]))),
        ("aud, an empty list", claiming(shop, "aud", json!([]))),
        ("aud, a list of other things", claiming(shop, "aud", json!([AUDIENCE, 7]))),
        ("aud, a list in a list", claiming(shop, "aud", json!([[AUDIENCE]]))),
        ("aud, an object", claiming(shop, "aud", json!({"0": AUDIENCE}))),
        ("aud null", claiming(shop, "aud", Value::Null)),
        ("no aud", silent(shop, "aud")),
        ("another iss", claiming(shop, "iss", json!("https://attacker.example.com"))),
        ("iss with a slash behind", claiming(shop, "iss", json!(format!("{ISSUER}/")))),
        ("iss as a list", claiming(shop, "iss", json!([ISSUER]))),
        ("no iss", silent(shop, "iss")),
        ("past its exp", claiming(shop, "exp", json!(shop.in_secs(-30)))),
        ("exp as text", claiming(shop, "exp", json!(shop.in_secs(600).to_string()))),
        ("exp with a fraction", claiming(shop, "exp", json!(1e9 + 0.5))),
        (
            "exp as a float",
            shop.sign_text(
                &shop.header().to_string(),
                &doubled(&without(shop.claims("ana"), "exp"), "\"exp\":1.8e9"),
            ),
        ),
        ("exp huge", shop.sign_text(&shop.header().to_string(), huge)),
        ("exp beyond all years", claiming(shop, "exp", json!(i64::MAX))),
        ("exp negative", claiming(shop, "exp", json!(-1))),
        ("exp null", claiming(shop, "exp", Value::Null)),
        ("exp true", claiming(shop, "exp", json!(true))),
        ("no exp", silent(shop, "exp")),
        ("good for a year", claiming(shop, "exp", json!(shop.in_secs(31_536_000)))),
        ("nbf to come", claiming(shop, "nbf", json!(shop.in_secs(60)))),
        ("nbf as text", claiming(shop, "nbf", json!("0"))),
        ("nbf null", claiming(shop, "nbf", Value::Null)),
        ("iat to come", claiming(shop, "iat", json!(shop.in_secs(60)))),
        ("iat as text", claiming(shop, "iat", json!("now"))),
        ("no sub", silent(shop, "sub")),
        ("sub empty", claiming(shop, "sub", json!(""))),
        ("sub as a number", claiming(shop, "sub", json!(7))),
        ("sub null", claiming(shop, "sub", Value::Null)),
        ("sub with a space", claiming(shop, "sub", json!("ana bob"))),
        ("sub with a line's end", claiming(shop, "sub", json!("ana\n"))),
        ("sub with a zero", claiming(shop, "sub", json!("ana\u{0}"))),
        ("sub beyond ASCII", claiming(shop, "sub", json!("änä"))),
        ("sub without end", claiming(shop, "sub", json!("a".repeat(129)))),
        ("sub as a list", claiming(shop, "sub", json!(["ana"]))),
    ]
}

fn with_other_json(shop: &Shop) -> Vec<Forgery> {
    let (header, claims) = (shop.header().to_string(), shop.claims("ana").to_string());
    let twice = |member: &str| shop.sign_text(&header, &doubled(&shop.claims("ana"), member));
    let alg = doubled(&shop.header(), "\"alg\":\"none\"");
    let kid = doubled(&shop.header(), "\"kid\":\"other\"");
    vec![
        ("sub twice", twice("\"sub\":\"bob\"")),
        ("exp twice", twice("\"exp\":1")),
        ("aud twice", twice("\"aud\":\"billing\"")),
        ("iss twice", twice("\"iss\":\"x\"")),
        ("sub twice, once in other letters of JSON", twice("\"s\\u0075b\":\"bob\"")),
        ("a name that says nothing twice", twice("\"x\":1,\"x\":1")),
        ("alg twice", shop.sign_text(&alg, &claims)),
        ("kid twice", shop.sign_text(&kid, &claims)),
        ("claims that are a list", shop.sign_text(&header, "[]")),
        ("claims that are text", shop.sign_text(&header, "\"ana\"")),
        ("claims that are null", shop.sign_text(&header, "null")),
        ("claims with more behind", shop.sign_text(&header, &format!("{claims}{claims}"))),
        ("claims cut short", shop.sign_text(&header, &claims[..claims.len() - 1])),
        ("claims that are not JSON", shop.sign_text(&header, "sub=ana")),
        ("claims with a mark in front", shop.sign_text(&header, &format!("\u{feff}{claims}"))),
        ("claims without end", shop.sign_text(&header, &"[".repeat(4000))),
        ("a header that is a list", shop.sign_text("[]", &claims)),
        ("a header with more behind", shop.sign_text(&format!("{header} 1"), &claims)),
    ]
}

#[tokio::test]
async fn forged_and_malformed_tokens_are_refused_alike() {
    for way in WAYS {
        let shop = Shop::signing(way).await;
        let mut refused = 0;
        for forgeries in [
            in_another_shape(&shop),
            with_keys_of_its_own(&shop),
            with_other_claims(&shop),
            with_other_json(&shop),
        ] {
            refused += all_refused(&shop, forgeries).await;
        }
        assert!(refused >= 100, "{refused} forgeries");
    }
}

#[tokio::test]
async fn a_key_is_good_for_one_algorithm_alone() {
    let sign = |shop: &Shop, alg: &str, key: &EncodingKey| {
        let header = with(shop.header(), "alg", json!(alg)).to_string();
        let algorithm = alg.parse().expect("a known name");
        signed(&header, &shop.claims("ana").to_string(), algorithm, key)
    };
    let by_secret =
        |shop: &Shop, alg: &str, secret: &[u8]| sign(shop, alg, &EncodingKey::from_secret(secret));
    // The same bytes, said to be of the right kind.
    let renamed = |shop: &Shop, token: String| {
        let (_, rest) = token.split_once('.').expect("three parts");
        format!("{}.{rest}", part(shop.header().to_string()))
    };

    let rsa = Shop::signing(Way::Rs256).await;
    let key = rsa.way.key(true);
    let public = rsa.way.public(true, "main");
    let modulus = public["n"].as_str().expect("a modulus");
    let mut forgeries: Vec<Forgery> = ["RS384", "RS512", "PS256", "PS384", "PS512"]
        .into_iter()
        .map(|alg| (alg, sign(&rsa, alg, &key)))
        .collect();
    for secret in [
        modulus.to_owned(),
        public.to_string(),
        json!({"keys": [public.clone()]}).to_string(),
        include_str!("../../../src/simulator/keys/first.crt").to_owned(),
        String::new(),
    ] {
        let token = by_secret(&rsa, "HS256", secret.as_bytes());
        forgeries.push(("the public key as a secret", token.clone()));
        forgeries.push(("the public key as a secret, renamed", renamed(&rsa, token)));
    }
    let renamed_512 = renamed(&rsa, sign(&rsa, "RS512", &key));
    forgeries.push(("RS512 renamed", renamed_512));
    forgeries.push(("ES256", sign(&rsa, "ES256", &Way::Es256.key(true))));
    all_refused(&rsa, forgeries).await;

    let curve = Shop::signing(Way::Es256).await;
    let p384 = EncodingKey::from_ec_pem(include_bytes!("p384.pem")).expect("a key");
    let x = curve.way.public(true, "main")["x"].as_str().expect("a point").to_owned();
    let other = sign(&curve, "ES384", &p384);
    let forgeries = vec![
        ("ES384", other.clone()),
        ("ES384 renamed", renamed(&curve, other)),
        ("the point as a secret", by_secret(&curve, "HS256", x.as_bytes())),
        ("a signature of zeros", unsigned(&curve.header(), &curve.claims("ana"), &part([0; 64]))),
        ("EdDSA", sign(&curve, "EdDSA", &Way::EdDsa.key(true))),
    ];
    all_refused(&curve, forgeries).await;

    let shared = Shop::signing(Way::Hs256).await;
    let forgeries = vec![
        ("HS384", by_secret(&shared, "HS384", SECRET.as_bytes())),
        ("HS512", by_secret(&shared, "HS512", SECRET.as_bytes())),
        ("HS512 renamed", renamed(&shared, by_secret(&shared, "HS512", SECRET.as_bytes()))),
        ("no secret", by_secret(&shared, "HS256", b"")),
        (
            "the secret with the line's end",
            by_secret(&shared, "HS256", format!("{SECRET}\n").as_bytes()),
        ),
        ("RS256", sign(&shared, "RS256", &Way::Rs256.key(true))),
    ];
    all_refused(&shared, forgeries).await;
}

#[tokio::test]
async fn a_kid_names_one_key_or_none() {
    for way in [Way::Rs256, Way::Es256, Way::EdDsa] {
        let shop = Shop::signing(way).await;
        let forgeries = [
            "../../../../dev/null",
            "/dev/null",
            "main' OR '1'='1",
            "main\u{0}",
            "MAIN",
            " main",
            "main,other",
            "*",
            "0",
            "https://attacker.example.com/keys",
        ]
        .map(|kid| (kid, headed(&shop, "kid", json!(kid))));
        all_refused(&shop, forgeries.into()).await;

        let two = [way.public(true, "main"), way.public(false, "other")];
        let shop = Shop::with_keys(way, &json!({"keys": two}), "").await;
        let nameless = shop.sign(&without(shop.header(), "kid"), &shop.claims("ana"));
        all_refused(&shop, vec![("no kid, and two keys", nameless)]).await;
        let wrong = headed(&shop, "kid", json!("other"));
        all_refused(&shop, vec![("the other key's name", wrong)]).await;

        let twins = [way.public(true, "main"), way.public(false, "main")];
        let shop = Shop::with_keys(way, &json!({"keys": twins}), "").await;
        assert!(!shop.lets_in(&shop.token("ana")).await, "two keys of one name");
    }
}

#[tokio::test]
async fn a_key_that_is_not_for_this_is_passed_over() {
    let way = Way::Rs256;
    let main = || way.public(true, "main");
    for (why, key) in [
        ("for encryption", with(main(), "use", json!("enc"))),
        ("for signing alone", with(main(), "key_ops", json!(["sign"]))),
        ("for another algorithm", with(main(), "alg", json!("RS512"))),
        ("with its private half", with(main(), "d", json!("AAAA"))),
        ("of another kind", with(main(), "kty", json!("oct"))),
        ("without a modulus", without(main(), "n")),
        ("a secret", json!({"kty": "oct", "kid": "main", "k": part(SECRET), "alg": "HS256"})),
    ] {
        let keys = json!({"keys": [key, way.public(false, "other")]});
        let shop = Shop::with_keys(way, &keys, "").await;
        assert!(!shop.lets_in(&shop.token("ana")).await, "a key {why}");
    }
    for (why, keys) in [
        (
            "of another curve",
            json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA", "kid": "main"}),
        ),
        ("of no curve", without(Way::Es256.public(true, "main"), "crv")),
        ("with a point cut short", with(Way::Es256.public(true, "main"), "x", json!("AAAA"))),
    ] {
        let keys = json!({"keys": [keys, Way::Es256.public(false, "other")]});
        let shop = Shop::with_keys(Way::Es256, &keys, "").await;
        assert!(!shop.lets_in(&shop.token("ana")).await, "a key {why}");
    }
}
