import { mount } from "../ui/mount";
import { CataloguePage } from "./page";

mount(<CataloguePage />);
