/**
 * May this Pod run these images, and as what?
 */
export {
  type AdmissionDecision,
  type AdmissionGranted,
  type AdmissionOperation,
  type AdmissionOptions,
  type AdmissionPlugin,
  type AdmissionReason,
  type AdmissionRefused,
  type AdmissionRequest,
  type AdmissionUser,
} from "./admission.ts";
