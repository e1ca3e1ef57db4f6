use super::super::*;
#[test]
fn smoke() {
    let rules = Rules { precision: Precision::Seconds, unsigned: false, nul_tag_key: false };
    let all: Vec<_> = Lines::new(b"cpu,h=a v=1 7\n# c\nbad v\nmem v=\"x\ny\"\r\n", rules).collect();
    assert_eq!(all.len(), 3);
    assert_eq!(all[0].unwrap().time.unwrap().0, 7_000_000_000);
    assert_eq!(all[1].unwrap_err().to_string(), "unable to parse 'bad v': invalid field format");
    assert_eq!(all[1].unwrap_err().number, 3);
    assert_eq!(all[2].unwrap().head, b"mem v=\"x\ny\"");
}
