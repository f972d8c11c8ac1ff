/** Whether something thrown carries this code. Errors of other packages are known by their codes, not by their classes. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
