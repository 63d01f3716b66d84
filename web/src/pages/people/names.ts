/** How departments and positions are called. */
import type { Schemas } from "../../app/client";
import { i18n } from "../../app/i18n/index.svelte";

type Organisation = Schemas["OrganisationView"];
type Department = Schemas["DepartmentView"];

/** Names from the top: 总部 / 运营. */
export function pathOf(departments: Department[], id: string): string {
  const by = new Map(departments.map((item) => [item.id, item]));
  const steps: string[] = [];
  for (let at = by.get(id); at && steps.length <= by.size; at = at.parent === null ? undefined : by.get(at.parent)) steps.unshift(i18n.name(at));
  return steps.join(" / ") || id;
}

/** Departments as choices, those below under their parent. */
export function pathOptions(departments: Department[]): { value: string; text: string }[] {
  return tree(departments).map(({ item }) => ({ value: item.id, text: pathOf(departments, item.id) }));
}

/** Departments from the top down, with their depth and the people in them and below. */
export function tree(departments: Department[]): { item: Department; depth: number; people: number }[] {
  const below = (parent: string | null) => departments.filter((item) => item.parent === parent).sort((a, b) => i18n.name(a).localeCompare(i18n.name(b), i18n.locale));
  const walk = (item: Department, depth: number): { item: Department; depth: number; people: number }[] => {
    const more = below(item.id).flatMap((one) => walk(one, depth + 1));
    const people = item.people + more.filter((one) => one.depth === depth + 1).reduce((sum, one) => sum + one.people, 0);
    return [{ item, depth, people }, ...more];
  };
  return below(null).flatMap((item) => walk(item, 0));
}

/** A position as it was named, or as it ships. */
export function positionName(organisation: Organisation | undefined, id: string): string {
  const named = organisation?.positions.find((item) => item.id === id);
  return named ? i18n.name(named) : id;
}
