/** Linux splits a 64-bit `dev_t` so: see gnu_dev_major and gnu_dev_minor in glibc's bits/sysmacros.h. */
export function toDeviceNumbers(rdev: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  }
}
