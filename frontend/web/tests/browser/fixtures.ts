import { test as base } from "@playwright/test";
import { Site } from "./stub/site";

/** Tests with a site of their own. */
export const test = base.extend<{ site: Site }>({
  site: async ({}, use) => {
    const site = new Site();
    await site.start();
    await use(site);
    await site.stop();
  },
});
