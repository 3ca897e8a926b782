import { mount } from "../ui/mount";
import { WatchPage } from "./page";

mount(<WatchPage />);
