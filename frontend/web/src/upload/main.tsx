import { mount } from "../ui/mount";
import { takeKeyFromAddress } from "./key";
import { UploadPage } from "./page";

takeKeyFromAddress();
mount(<UploadPage />);
