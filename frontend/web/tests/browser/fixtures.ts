import { test as base } from "@playwright/test";
import { Home } from "./stub/home";
import { Site } from "./stub/site";

/** Tests with a site and a home of their own. */
export const test = base.extend<{ site: Site; home: Home }>({
  site: async ({}, use) => {
    const site = new Site();
    await site.start();
    await use(site);
    await site.stop();
  },
  home: async ({}, use) => {
    const home = new Home();
    await home.start();
    await use(home);
    await home.stop();
  },
});
