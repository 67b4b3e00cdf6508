/** All that the console says, in English, in one place: a file per area. */
export { callTexts } from "./calls";
export { commonTexts } from "./common";
export { decisionTexts } from "./decisions";
export { frameTexts } from "./frame";
export { keepTexts } from "./keep";
export { meetingTexts } from "./meetings";
export { policyTexts } from "./policies";
export { qualityTexts } from "./quality";
