import { mount } from "../../ui/mount";
import { ExecutionPage } from "./page";

mount(<ExecutionPage />);
