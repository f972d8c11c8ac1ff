/** What `map` makes of a value that the configuration may leave out; undefined where it does. */
export function ifSet<Value, Mapped>(
  value: Value | undefined,
  map: (value: Value) => Mapped,
): Mapped | undefined {
  return value === undefined ? undefined : map(value)
}
