//! Documents for the comparison with PyYAML that someone thought of (`fixtures/yaml`).

use std::path::Path;

use serde_json::Value;

/// Every corner, as bytes.
pub(crate) fn corners() -> Vec<Vec<u8>> {
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/yaml/corners.json");
    let listed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let texts = |list: &Value| -> Vec<String> { serde_json::from_value(list.clone()).unwrap() };
    let groups = listed["documents"].as_object().unwrap().values();
    let mut corners: Vec<Vec<u8>> = groups.flat_map(texts).map(String::into_bytes).collect();
    for scalar in texts(&listed["scalars"]) {
        corners.push(format!("{scalar}\n").into_bytes());
        corners.push(format!("k: {scalar} # c\n").into_bytes());
        corners.push(format!("{scalar}: [{scalar}, '{scalar}']\n").into_bytes());
    }
    for tag in ["str", "int", "float", "bool", "null", "timestamp", "binary", "seq", "map", "x"] {
        for value in ["1", "'1'", "yes", "~", "''", "2024-01-01", "1.5", "[1]", "{a: 1}", "x y"] {
            corners.push(format!("- !!{tag} {value}\n").into_bytes());
        }
    }
    corners.extend([
        utf16("a: é\n", false),
        utf16("a: é\n", true),
        utf16("a: 🎉\n", true),
        utf16("a: b", false)[..9].to_vec(),
        vec![0xff, 0xfe, 0x00, 0xd8, b'a', 0],
        b"a: \xff\n".to_vec(),
        b"a: \xc3".to_vec(),
        b"a: \xed\xa0\x80\n".to_vec(),
        b"\xef\xbb\xbfa: 1\n".to_vec(),
        b"\xef\xbb\n".to_vec(),
    ]);
    corners
}
