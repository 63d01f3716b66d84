/** Which view an address shows, who may open it, and where it stands in the menu. */
import type { Component } from "svelte";
import type { IconName } from "../ui/icons";
import type { Dictionary } from "./i18n/zh-CN";
import type { Me, Permission } from "./session.svelte";

/** Module of a view; one that is about nobody leaves `employee` aside. */
export interface Page {
  default: Component<{ employee: string }> | Component<Record<string, never>>;
}

export type MenuGroup = "mine" | "work" | "setup" | "admin";

/** In the order of the menu. */
export const menuGroups: readonly MenuGroup[] = ["work", "mine", "setup", "admin"];

export interface Route {
  /** `:employee` stands for one part of the path. */
  path: string;
  /** Loaded when it is first opened. */
  load: () => Promise<Page>;
  permission: Permission;
  nav: keyof Dictionary["nav"];
  icon: IconName;
  /** Group of the menu; without it the view is reached from another one. */
  menu?: MenuGroup;
}

const routes: readonly Route[] = [
  { path: "/workbench", load: () => import("../pages/hr/Workbench.svelte"), permission: "today.read", nav: "workbench", icon: "home", menu: "work" },
  { path: "/today", load: () => import("../pages/today/Today.svelte"), permission: "today.read", nav: "today", icon: "today", menu: "work" },
  { path: "/attendance", load: () => import("../pages/grid/Attendance.svelte"), permission: "today.read", nav: "attendance", icon: "grid", menu: "work" },
  { path: "/exceptions", load: () => import("../pages/exceptions/Exceptions.svelte"), permission: "exceptions.decide", nav: "exceptions", icon: "warn", menu: "work" },
  { path: "/approvals", load: () => import("../pages/approvals/Approvals.svelte"), permission: "requests.decide", nav: "approvals", icon: "check", menu: "work" },
  { path: "/rosters", load: () => import("../pages/rosters/Rosters.svelte"), permission: "rosters.read", nav: "rosters", icon: "roster", menu: "work" },
  { path: "/closing", load: () => import("../pages/closing/Closing.svelte"), permission: "months.read", nav: "closing", icon: "lock", menu: "work" },
  { path: "/reports", load: () => import("../pages/reports/Reports.svelte"), permission: "reports.read", nav: "reports", icon: "report", menu: "work" },
  { path: "/scores", load: () => import("../pages/scores/Ranking.svelte"), permission: "scores.read", nav: "scores", icon: "score", menu: "work" },
  { path: "/trends", load: () => import("../pages/trends/Trends.svelte"), permission: "scores.read", nav: "trends", icon: "score", menu: "work" },
  { path: "/periods", load: () => import("../pages/periods/Periods.svelte"), permission: "scores.read", nav: "periods", icon: "lock", menu: "work" },
  { path: "/rewards", load: () => import("../pages/rewards/Rewards.svelte"), permission: "scores.read", nav: "rewards", icon: "score", menu: "work" },
  { path: "/schemes", load: () => import("../pages/schemes/Schemes.svelte"), permission: "schemes.read", nav: "schemes", icon: "compare", menu: "work" },
  { path: "/shifts", load: () => import("../pages/shifts/Shifts.svelte"), permission: "shifts.write", nav: "shifts", icon: "clock", menu: "setup" },
  { path: "/calendar", load: () => import("../pages/calendar/Calendar.svelte"), permission: "calendar.write", nav: "calendar", icon: "day", menu: "setup" },
  { path: "/leave", load: () => import("../pages/leave/LeaveSettings.svelte"), permission: "requests.settings", nav: "leave", icon: "person", menu: "setup" },
  { path: "/notices", load: () => import("../pages/reports/Notices.svelte"), permission: "notices.write", nav: "notices", icon: "bell", menu: "setup" },
  { path: "/shadow", load: () => import("../pages/shadow/Shadow.svelte"), permission: "shadow", nav: "shadow", icon: "compare", menu: "setup" },
  { path: "/sandbox", load: () => import("../pages/sandbox/Sandbox.svelte"), permission: "shifts.write", nav: "sandbox", icon: "score", menu: "setup" },
  { path: "/me/month", load: () => import("../pages/my/MyMonth.svelte"), permission: "me.read", nav: "myMonth", icon: "grid", menu: "mine" },
  { path: "/me/requests", load: () => import("../pages/my/MyRequests.svelte"), permission: "me.request", nav: "myRequests", icon: "report", menu: "mine" },
  { path: "/me/day", load: () => import("../pages/me/Day.svelte"), permission: "me.read", nav: "day", icon: "day", menu: "mine" },
  { path: "/me/score", load: () => import("../pages/me/Score.svelte"), permission: "me.read", nav: "score", icon: "score", menu: "mine" },
  { path: "/people", load: () => import("../pages/people/People.svelte"), permission: "people.read", nav: "people", icon: "people", menu: "work" },
  { path: "/people/unmatched", load: () => import("../pages/people/Unmatched.svelte"), permission: "people.map", nav: "unmatched", icon: "unmatched" },
  { path: "/people/organisation", load: () => import("../pages/people/Organisation.svelte"), permission: "people.read", nav: "people", icon: "people" },
  { path: "/people/import", load: () => import("../pages/people/ImportPeople.svelte"), permission: "people.write", nav: "people", icon: "upload" },
  { path: "/contracts", load: () => import("../pages/contracts/Contracts.svelte"), permission: "contracts.read", nav: "contracts", icon: "report", menu: "work" },
  { path: "/contracts/posts", load: () => import("../pages/contracts/Posts.svelte"), permission: "contracts.read", nav: "contracts", icon: "report" },
  { path: "/people/:employee/day", load: () => import("../pages/me/Day.svelte"), permission: "today.read", nav: "day", icon: "day" },
  { path: "/people/:employee/score", load: () => import("../pages/me/Score.svelte"), permission: "scores.read", nav: "score", icon: "score" },
  { path: "/devices", load: () => import("../pages/devices/Devices.svelte"), permission: "devices.read", nav: "devices", icon: "devices", menu: "work" },
  { path: "/sources", load: () => import("../pages/sources/Sources.svelte"), permission: "sources.read", nav: "sources", icon: "gateway", menu: "work" },
  { path: "/waiting", load: () => import("../pages/waiting/Waiting.svelte"), permission: "facts.review", nav: "waiting", icon: "quarantine", menu: "work" },
  { path: "/waiting/people", load: () => import("../pages/waiting/Ids.svelte"), permission: "people.map", nav: "waiting", icon: "unmatched" },
  { path: "/sources/history", load: () => import("../pages/migration/Migration.svelte"), permission: "sources.read", nav: "sources", icon: "upload" },
  { path: "/sources/check", load: () => import("../pages/mapping/MapCheck.svelte"), permission: "sources.read", nav: "sources", icon: "check" },
  { path: "/admin/quarantine", load: () => import("../pages/admin/Quarantine.svelte"), permission: "quarantine.read", nav: "quarantine", icon: "quarantine", menu: "admin" },
  { path: "/admin/operations", load: () => import("../pages/admin/Operations.svelte"), permission: "admin", nav: "operations", icon: "operations", menu: "admin" },
];

/** May this person open the view? The own pages need somebody to be about. */
export function allowed(route: Route, me: Me): boolean {
  if (route.path.startsWith("/me/") && me.employee === null) return false;
  return me.permissions.includes(route.permission);
}

/** Views of the menu that this person may open, in order. */
export function menu(me: Me, group: MenuGroup): Route[] {
  return routes.filter((route) => route.menu === group && allowed(route, me));
}

/** Where this person starts: employees with their own day, others with the first of the menu. */
export function home(me: Me): string {
  if (me.role === "employee" && me.employee !== null) return "/me/day";
  const first = menuGroups.map((group) => menu(me, group)[0]).find((route) => route !== undefined);
  return first?.path ?? "/";
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
