//! temp
#[derive(Default)]
#[allow(missing_docs)]
pub struct DateCache;
impl DateCache {
    #[allow(missing_docs)]
    pub fn at(&mut self, _s: u64) -> &[u8] {
        b"x"
    }
}
