/** Which view an address shows, who may open it, and where it stands in the menu. */
import type { Component } from "svelte";
import type { IconName } from "../ui/icons";
import type { Dictionary } from "./i18n/zh-CN";
import type { Me, Permission } from "./session.svelte";

/** Module of a view; one that is about nobody leaves `employee` aside. */
export interface Page {
  default: Component<{ employee: string }> | Component<Record<string, never>>;
}

export interface Route {
  /** `:employee` stands for one part of the path. */
  path: string;
  /** Loaded when it is first opened. */
  load: () => Promise<Page>;
  permission: Permission;
  nav: keyof Dictionary["nav"];
  icon: IconName;
  /** Group of the menu; without it the view is reached from another one. */
  menu?: "work" | "admin";
}

const routes: readonly Route[] = [
  { path: "/today", load: () => import("../pages/today/Today.svelte"), permission: "today.read", nav: "today", icon: "today", menu: "work" },
  { path: "/me/day", load: () => import("../pages/me/Day.svelte"), permission: "me.read", nav: "day", icon: "day", menu: "work" },
  { path: "/me/score", load: () => import("../pages/me/Score.svelte"), permission: "me.read", nav: "score", icon: "score", menu: "work" },
  { path: "/people", load: () => import("../pages/people/People.svelte"), permission: "people.read", nav: "people", icon: "people", menu: "work" },
  { path: "/people/unmatched", load: () => import("../pages/people/Unmatched.svelte"), permission: "people.map", nav: "unmatched", icon: "unmatched" },
  { path: "/people/:employee/day", load: () => import("../pages/me/Day.svelte"), permission: "today.read", nav: "day", icon: "day" },
  { path: "/people/:employee/score", load: () => import("../pages/me/Score.svelte"), permission: "scores.read", nav: "score", icon: "score" },
  { path: "/devices", load: () => import("../pages/devices/Devices.svelte"), permission: "devices.read", nav: "devices", icon: "devices", menu: "work" },
  { path: "/admin/quarantine", load: () => import("../pages/admin/Quarantine.svelte"), permission: "quarantine.read", nav: "quarantine", icon: "quarantine", menu: "admin" },
  { path: "/admin/operations", load: () => import("../pages/admin/Operations.svelte"), permission: "admin", nav: "operations", icon: "operations", menu: "admin" },
];

/** May this person open the view? The own pages need somebody to be about. */
export function allowed(route: Route, me: Me): boolean {
  if (route.path.startsWith("/me/") && me.employee === null) return false;
  return me.permissions.includes(route.permission);
}

/** Views of the menu that this person may open, in order. */
export function menu(me: Me, group: "work" | "admin"): Route[] {
  return routes.filter((route) => route.menu === group && allowed(route, me));
}

/** Where this person starts: employees with their own day, others with the first of the menu. */
export function home(me: Me): string {
  if (me.role === "employee" && me.employee !== null) return "/me/day";
  return (menu(me, "work")[0] ?? menu(me, "admin")[0])?.path ?? "/";
}

/** The view at a path, and the employee in it ("me" on the own pages). */
export function find(path: string): { route: Route; employee: string } | undefined {
  for (const route of routes) {
    const pattern = new RegExp(`^${route.path.replace(":employee", "([^/]+)")}$`);
    const match = pattern.exec(path);
    if (match) return { route, employee: match[1] === undefined ? "me" : decodeURIComponent(match[1]) };
  }
  return undefined;
}
