import "./styles/tokens.css";
import "./styles/base.css";
import { mount } from "svelte";
import App from "./app/App.svelte";
import { i18n } from "./app/i18n/index.svelte";

const target = document.getElementById("app");
if (target) {
  await i18n.start();
  mount(App, { target });
}
