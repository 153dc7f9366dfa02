//! The cipher under the published vectors: those of Project Wycheproof, and of the paper that NIST
//! SP 800-38D refers to.

use calbridge::vault::cipher::{NONCE_BYTES, TAG_BYTES, decrypt, encrypt};
use data_encoding::HEXLOWER;
use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};

#[test]
fn the_cipher_agrees_with_every_vector_of_wycheproof() {
    let set = TestSet::load(TestName::AesGcm).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    let fits = |nonce: usize, key: usize, tag: usize| {
        (nonce, key, tag) == (NONCE_BYTES * 8, 256, TAG_BYTES * 8)
    };
    let groups = set.test_groups.iter();
    for group in groups.filter(|group| fits(group.nonce_size, group.key_size, group.tag_size)) {
        for test in &group.tests {
            let key = test.key.as_ref().try_into().unwrap();
            let nonce = test.nonce.as_ref().try_into().unwrap();
            let sealed = [test.ct.as_ref(), test.tag.as_ref()].concat();
            let opened = decrypt(key, nonce, &test.aad, &sealed);
            let told = format!("vector {}: {}", test.tc_id, test.comment);
            if test.result == TestResult::Valid {
                assert_eq!(opened.expect(&told).as_slice(), test.pt.as_ref(), "{told}");
                assert_eq!(encrypt(key, nonce, &test.aad, &test.pt).unwrap(), sealed, "{told}");
                valid += 1;
            } else {
                assert!(opened.is_err(), "{told}");
                invalid += 1;
            }
        }
    }
    assert!(valid > 30 && invalid > 20, "{valid} valid and {invalid} invalid vectors were tried");
}

#[test]
fn the_cipher_agrees_with_the_vectors_of_the_gcm_specification() {
    // Test cases 13 to 16: those with keys of 256 bits and nonces of 96.
    let text = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24\
                49a6b525b16aedf5aa0de657ba637b391aafd255";
    let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    let nonce = "cafebabefacedbaddecaf888";
    let bound = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    let (zero_key, zero_nonce) = ("0".repeat(64), "0".repeat(24));
    let zero_text = "0".repeat(32);
    let cipher = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10\
                  56828838c5f61e6393ba7a0abcc9f662";
    let cases: [(&str, &str, &str, &str, String); 4] = [
        (&zero_key, &zero_nonce, "", "", "530f8afbc74536b9a963b4f1c4cb738b".into()),
        (
            &zero_key,
            &zero_nonce,
            "",
            &zero_text,
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919".into(),
        ),
        (key, nonce, "", text, format!("{cipher}898015adb094dac5d93471bdec1a502270e3cc6c")),
        (key, nonce, bound, &text[..120], format!("{cipher}76fc6ece0f4e1768cddf8853bb2d551b")),
    ];
    let bytes = |hex: &str| HEXLOWER.decode(hex.as_bytes()).unwrap();
    for (n, (key, nonce, bound, text, sealed)) in (13..).zip(cases) {
        let (key, nonce) = (bytes(key).try_into().unwrap(), bytes(nonce).try_into().unwrap());
        let (bound, text, sealed) = (bytes(bound), bytes(text), bytes(&sealed));
        assert_eq!(encrypt(&key, &nonce, &bound, &text).unwrap(), sealed, "test case {n}");
        assert_eq!(*decrypt(&key, &nonce, &bound, &sealed).unwrap(), text, "test case {n}");
    }
}
