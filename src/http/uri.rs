//! temp
#[allow(missing_docs)]
pub enum EncodedSlashes {
    Refuse,
    Decode,
    Keep,
}
#[allow(missing_docs)]
pub struct PathError {
    pub status: super::Status,
}
#[allow(missing_docs)]
pub fn normalize(
    raw: &[u8],
    _s: EncodedSlashes,
    _m: bool,
    out: &mut Vec<u8>,
) -> Result<(), PathError> {
    out.extend_from_slice(raw);
    Ok(())
}
