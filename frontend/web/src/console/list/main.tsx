import { mount } from "../../ui/mount";
import { ExecutionsPage } from "./page";

mount(<ExecutionsPage />);
