/**
 * What Kubernetes' Go types know and its OpenAPI documents don't, which shows on the wire all the same: which plain
 * values can be told from their absence (pointers), and what types are called in error messages.
 */

/** Values that stay even as `0`, `false` or `""`, by the last part of their struct's name. */
const POINTERS: Readonly<Record<string, string>> = {
  AppArmorProfile: "localhostProfile",
  AzureDiskVolumeSource: "cachingMode fsType kind readOnly",
  CSIVolumeSource: "fsType readOnly",
  ClusterTrustBundleProjection: "name optional signerName",
  ConfigMap: "immutable",
  ConfigMapEnvSource: "optional",
  ConfigMapKeySelector: "optional",
  ConfigMapProjection: "optional",
  ConfigMapVolumeSource: "defaultMode optional",
  Container: "restartPolicy",
  ContainerStatus: "started stopSignal",
  CronJobSpec: "failedJobsHistoryLimit startingDeadlineSeconds successfulJobsHistoryLimit suspend timeZone",
  DaemonSetSpec: "revisionHistoryLimit",
  DaemonSetStatus: "collisionCount",
  DeleteOptions:
    "gracePeriodSeconds ignoreStoreReadErrorWithClusterBreakingPotential orphanDependents propagationPolicy",
  DeploymentSpec: "progressDeadlineSeconds replicas revisionHistoryLimit",
  DeploymentStatus: "collisionCount terminatingReplicas",
  DownwardAPIVolumeFile: "mode",
  DownwardAPIVolumeSource: "defaultMode",
  EphemeralContainer: "restartPolicy",
  FCVolumeSource: "lun",
  FileKeySelector: "optional",
  GRPCAction: "service",
  HostPathVolumeSource: "type",
  ISCSIVolumeSource: "initiatorName",
  JobSpec:
    "activeDeadlineSeconds backoffLimit backoffLimitPerIndex completionMode completions managedBy manualSelector maxFailedIndexes parallelism podReplacementPolicy suspend ttlSecondsAfterFinished",
  JobStatus: "failedIndexes ready terminating",
  KeyToPath: "mode",
  LeaseSpec: "holderIdentity leaseDurationSeconds leaseTransitions preferredHolder strategy",
  Lifecycle: "stopSignal",
  ListMeta: "remainingItemCount",
  NodeFeatures: "supplementalGroupsPolicy",
  NodeRuntimeHandlerFeatures: "recursiveReadOnlyMounts userNamespaces",
  NodeSwapStatus: "capacity",
  ObjectMeta: "deletionGracePeriodSeconds",
  OwnerReference: "blockOwnerDeletion controller",
  PersistentVolumeClaimSpec: "storageClassName volumeAttributesClassName volumeMode",
  PersistentVolumeClaimStatus: "currentVolumeAttributesClassName",
  PodCertificateProjection: "maxExpirationSeconds",
  PodDNSConfigOption: "value",
  PodFailurePolicyOnExitCodesRequirement: "containerName",
  PodResourceClaim: "resourceClaimName resourceClaimTemplateName",
  PodResourceClaimStatus: "resourceClaimName",
  PodSchedulingGroup: "podGroupName",
  PodSecurityContext:
    "fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser seLinuxChangePolicy supplementalGroupsPolicy",
  PodSpec:
    "activeDeadlineSeconds automountServiceAccountToken enableServiceLinks hostUsers hostnameOverride preemptionPolicy priority runtimeClassName setHostnameAsFQDN shareProcessNamespace terminationGracePeriodSeconds",
  Preconditions: "resourceVersion uid",
  Probe: "terminationGracePeriodSeconds",
  ProjectedVolumeSource: "defaultMode",
  ReplicaSetSpec: "replicas",
  ReplicaSetStatus: "terminatingReplicas",
  ReplicationControllerSpec: "replicas",
  RollingUpdateStatefulSetStrategy: "partition",
  SeccompProfile: "localhostProfile",
  Secret: "immutable",
  SecretEnvSource: "optional",
  SecretKeySelector: "optional",
  SecretProjection: "optional",
  SecretVolumeSource: "defaultMode optional",
  SecurityContext:
    "allowPrivilegeEscalation privileged procMount readOnlyRootFilesystem runAsGroup runAsNonRoot runAsUser",
  ServiceAccount: "automountServiceAccountToken",
  ServiceAccountTokenProjection: "expirationSeconds",
  StatefulSetSpec: "replicas revisionHistoryLimit",
  StatefulSetStatus: "collisionCount",
  SuccessPolicyRule: "succeededCount succeededIndexes",
  TokenRequestSpec: "expirationSeconds",
  Toleration: "tolerationSeconds",
  TopologySpreadConstraint: "minDomains nodeAffinityPolicy nodeTaintsPolicy",
  TypedLocalObjectReference: "apiGroup",
  TypedObjectReference: "apiGroup namespace",
  VolumeMount: "mountPropagation recursiveReadOnly",
  VolumeMountStatus: "recursiveReadOnly",
  WindowsSecurityContextOptions: "gmsaCredentialSpec gmsaCredentialSpecName hostProcess runAsUserName",
};

/** Optional by the documents, yet always written, empty or not. */
const ALWAYS: Readonly<Record<string, string>> = {
  Event: "reportingComponent reportingInstance",
  NodeRuntimeHandler: "name",
  PodFailurePolicyOnPodConditionsPattern: "status",
  ResourceFieldSelector: "divisor",
  StatefulSetOrdinals: "start",
  StatefulSetSpec: "serviceName",
  StatefulSetStatus: "availableReplicas",
  TokenRequestStatus: "token",
};

/** Times that are written as `null` where there is none; all others are left out then. */
const VALUE_TIMES: Readonly<Record<string, string>> = {
  ContainerStateRunning: "startedAt",
  ContainerStateTerminated: "finishedAt startedAt",
  Event: "deprecatedFirstTimestamp deprecatedLastTimestamp eventTime firstTimestamp lastTimestamp",
  EventSeries: "lastObservedTime",
  TokenRequestStatus: "expirationTimestamp",
};

/** Types of texts that have a name of their own, by struct: `field=Type`. */
const TEXT_TYPES: Readonly<Record<string, string>> = {
  AppArmorProfile: "type=AppArmorProfileType",
  AttachedVolume: "name=UniqueVolumeName",
  AzureDiskVolumeSource: "cachingMode=AzureDataDiskCachingMode kind=AzureDataDiskKind",
  BoundObjectReference: "uid=types.UID",
  Capabilities: "add=Capability drop=Capability",
  ConfigMapNodeConfigSource: "uid=types.UID",
  Container:
    "imagePullPolicy=PullPolicy restartPolicy=ContainerRestartPolicy terminationMessagePolicy=TerminationMessagePolicy",
  ContainerPort: "protocol=Protocol",
  ContainerResizePolicy: "resourceName=ResourceName restartPolicy=ResourceResizeRestartPolicy",
  ContainerRestartRule: "action=ContainerRestartRuleAction",
  ContainerRestartRuleOnExitCodes: "operator=ContainerRestartRuleOnExitCodesOperator",
  ContainerStatus: "stopSignal=Signal",
  CronJobSpec: "concurrencyPolicy=ConcurrencyPolicy",
  DaemonSetCondition: "type=DaemonSetConditionType",
  DaemonSetUpdateStrategy: "type=DaemonSetUpdateStrategyType",
  DeleteOptions: "propagationPolicy=DeletionPropagation",
  DeploymentCondition: "type=DeploymentConditionType",
  DeploymentStrategy: "type=DeploymentStrategyType",
  EmptyDirVolumeSource: "medium=StorageMedium",
  EphemeralContainer:
    "imagePullPolicy=PullPolicy restartPolicy=ContainerRestartPolicy terminationMessagePolicy=TerminationMessagePolicy",
  FieldSelectorRequirement: "operator=FieldSelectorOperator",
  HTTPGetAction: "scheme=URIScheme",
  HostPathVolumeSource: "type=HostPathType",
  ImageVolumeSource: "pullPolicy=PullPolicy",
  JobCondition: "type=JobConditionType",
  JobSpec: "completionMode=CompletionMode podReplacementPolicy=PodReplacementPolicy",
  LabelSelectorRequirement: "operator=LabelSelectorOperator",
  LeaseSpec: "strategy=CoordinatedLeaseStrategy",
  Lifecycle: "stopSignal=Signal",
  ManagedFieldsEntry: "operation=ManagedFieldsOperationType",
  ModifyVolumeStatus: "status=PersistentVolumeClaimModifyVolumeStatus",
  NamespaceCondition: "type=NamespaceConditionType",
  NamespaceSpec: "finalizers=FinalizerName",
  NamespaceStatus: "phase=NamespacePhase",
  NodeAddress: "type=NodeAddressType",
  NodeCondition: "type=NodeConditionType",
  NodeSelectorRequirement: "operator=NodeSelectorOperator",
  NodeStatus: "phase=NodePhase volumesInUse=UniqueVolumeName",
  ObjectMeta: "uid=types.UID",
  ObjectReference: "uid=types.UID",
  OwnerReference: "uid=types.UID",
  PersistentVolumeClaimCondition: "type=PersistentVolumeClaimConditionType",
  PersistentVolumeClaimSpec: "accessModes=PersistentVolumeAccessMode volumeMode=PersistentVolumeMode",
  PersistentVolumeClaimStatus:
    "accessModes=PersistentVolumeAccessMode allocatedResourceStatuses=ClaimResourceStatus phase=PersistentVolumeClaimPhase",
  PodCondition: "type=PodConditionType",
  PodFailurePolicyOnExitCodesRequirement: "operator=PodFailurePolicyOnExitCodesOperator",
  PodFailurePolicyOnPodConditionsPattern: "type=PodConditionType status=ConditionStatus",
  PodFailurePolicyRule: "action=PodFailurePolicyAction",
  PodOS: "name=OSName",
  PodReadinessGate: "conditionType=PodConditionType",
  PodSecurityContext:
    "fsGroupChangePolicy=PodFSGroupChangePolicy seLinuxChangePolicy=PodSELinuxChangePolicy supplementalGroupsPolicy=SupplementalGroupsPolicy",
  PodSpec: "dnsPolicy=DNSPolicy preemptionPolicy=PreemptionPolicy restartPolicy=RestartPolicy",
  PodStatus: "phase=PodPhase qosClass=PodQOSClass resize=PodResizeStatus",
  Preconditions: "uid=types.UID",
  ReplicaSetCondition: "type=ReplicaSetConditionType",
  ReplicationControllerCondition: "type=ReplicationControllerConditionType",
  ResourceHealth: "health=ResourceHealthStatus resourceID=ResourceID",
  ResourceStatus: "name=ResourceName",
  SeccompProfile: "type=SeccompProfileType",
  Secret: "type=SecretType",
  SecurityContext: "procMount=ProcMountType",
  StatefulSetCondition: "type=StatefulSetConditionType",
  StatefulSetPersistentVolumeClaimRetentionPolicy:
    "whenDeleted=PersistentVolumeClaimRetentionPolicyType whenScaled=PersistentVolumeClaimRetentionPolicyType",
  StatefulSetSpec: "podManagementPolicy=PodManagementPolicyType",
  StatefulSetUpdateStrategy: "type=StatefulSetUpdateStrategyType",
  StatusCause: "reason=CauseType",
  StatusDetails: "uid=types.UID",
  Taint: "effect=TaintEffect",
  Toleration: "effect=TaintEffect operator=TolerationOperator",
  TopologySpreadConstraint:
    "nodeAffinityPolicy=NodeInclusionPolicy nodeTaintsPolicy=NodeInclusionPolicy whenUnsatisfiable=UnsatisfiableConstraintAction",
  UncountedTerminatedPods: "failed=types.UID succeeded=types.UID",
  VolumeMount: "mountPropagation=MountPropagationMode recursiveReadOnly=RecursiveReadOnlyMode",
  VolumeMountStatus: "recursiveReadOnly=RecursiveReadOnlyMode",
};

/** What is known of one struct's fields. */
export interface StructFacts {
  readonly pointers: ReadonlySet<string>;
  readonly always: ReadonlySet<string>;
  readonly valueTimes: ReadonlySet<string>;
  readonly textTypes: ReadonlyMap<string, string>;
}

/** @param struct the last part of its schema's name: `PodSpec` */
export function factsOf(struct: string): StructFacts {
  const textTypes = new Map(
    words(TEXT_TYPES, struct).map((word) => {
      const [field = "", type = ""] = word.split("=");
      return [field, type.includes(".") ? type : `v1.${type}`];
    }),
  );
  const valueTimes = new Set(words(VALUE_TIMES, struct));
  if (struct.endsWith("Condition")) {
    textTypes.set("status", "v1.ConditionStatus");
    for (const name of CONDITION_TIMES) valueTimes.add(name);
  }
  return {
    pointers: new Set(words(POINTERS, struct)),
    always: new Set(words(ALWAYS, struct)),
    valueTimes,
    textTypes,
  };
}

const CONDITION_TIMES = ["lastHeartbeatTime", "lastProbeTime", "lastTransitionTime", "lastUpdateTime"];

function words(table: Readonly<Record<string, string>>, struct: string): readonly string[] {
  return Object.hasOwn(table, struct) ? (table[struct] ?? "").split(" ") : [];
}
