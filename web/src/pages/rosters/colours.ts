/** Colours of shifts, by their place in the library; the code stands beside, so colour never carries meaning alone. */
const SERIES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7A73C2", "#7f8691"];

export function colour(place: number): string {
  return SERIES[place % SERIES.length] ?? "#7f8691";
}
