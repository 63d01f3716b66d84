import { i18n } from "../../app/i18n/index.svelte";

/** What a score is told with beside its numbers. */
const zh = {
  severalPosts: "本期岗位有变动：每个岗位按自己的数据和权重计分，再按天数加权为总分。",
  post: (position: string, first: string, last: string, days: string) => `${position}：${first} – ${last}（${days} 天）`,
  postTotal: "本岗位得分",
  byDays: (parts: string, days: string, total: string) => `总分 =（${parts}）÷ ${days} 天 = ${total}`,
  daysAt: (days: string, points: string) => `${days} 天 × ${points}`,
  beside: (name: string, value: string) => `${name}：${value}（仅供核对，不计分）`,
  pair: (name: string, value: string, points: string) => `一起看：${name} ${value}，${points} 分`,
  provisional: "暂定",
  history: "历史走势",
  historyText: (from: string, first: string, to: string, last: string) => `${from} ${first} 分，${to} ${last} 分`,
  historyTable: "查看各期分数",
  gradeHead: "等级",
  closedHead: "状态",
  published: "已发布",
  running: "未关账",
  finalOn: (day: string) => `可能还有晚到的数据，${day}起为最终结果`,
};

const en: typeof zh = {
  severalPosts: "The post changed in this period: each is scored by its own data and weights, then weighed by its days.",
  post: (position, first, last, days) => `${position}: ${first} – ${last} (${days} days)`,
  postTotal: "Points of this post",
  byDays: (parts, days, total) => `Total = (${parts}) ÷ ${days} days = ${total}`,
  daysAt: (days, points) => `${days} days × ${points}`,
  beside: (name, value) => `${name}: ${value} (to compare, not scored)`,
  pair: (name, value, points) => `Look at it with ${name}: ${value}, ${points} points`,
  provisional: "Provisional",
  history: "How it went",
  historyText: (from, first, to, last) => `${first} points in ${from}, ${last} in ${to}`,
  historyTable: "Show all periods",
  gradeHead: "Grade",
  closedHead: "State",
  published: "Published",
  running: "Open",
  finalOn: (day) => `late rows may still come; final from ${day}`,
};

export const words = () => i18n.pick({ "zh-CN": zh, en });
