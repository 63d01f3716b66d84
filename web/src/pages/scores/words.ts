import { i18n } from "../../app/i18n/index.svelte";

const zh = {
  title: "绩效排名",
  table: "绩效排名表",
  month: "月份",
  department: "部门",
  rank: "名次",
  name: "姓名",
  position: "岗位",
  total: "总分",
  grade: "等级",
  coverage: "数据覆盖",
  people: (n: string) => `共 ${n} 人`,
  distribution: "等级分布",
  count: (grade: string, n: string) => `${grade} 级 ${n} 人`,
  unscored: (n: string) => `数据不足 ${n} 人`,
  none: "数据不足",
  open: (name: string) => `查看${name}的绩效`,
  empty: "这个月还没有绩效",
  emptyHint: "考勤或业务数据到达后几秒内就会出现。先在“数据源”接入系统，或选择其他月份。",
  noMatch: "这个部门没有绩效",
  noMatchHint: "换一个部门或月份试试。",
};

const en: typeof zh = {
  title: "Score ranking",
  table: "Scores, best first",
  month: "Month",
  department: "Department",
  rank: "Rank",
  name: "Name",
  position: "Position",
  total: "Total",
  grade: "Grade",
  coverage: "Coverage",
  people: (n) => `${n} people`,
  distribution: "Grades",
  count: (grade, n) => `${n} with grade ${grade}`,
  unscored: (n) => `${n} without enough data`,
  none: "Not enough data",
  open: (name) => `Open the score of ${name}`,
  empty: "No scores in this month yet",
  emptyHint: "They appear within seconds after attendance or business data arrives. Connect a system first, or choose another month.",
  noMatch: "No scores in this department",
  noMatchHint: "Try another department or month.",
};

export const words = () => i18n.pick({ "zh-CN": zh, en });
