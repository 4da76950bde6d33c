/**
 * A Pod's specification as the API server's own Go types would print it: every member there is, in declared order and
 * under its Go name, absent ones as Go's zero values. The refusal of an update shows the difference of two of these.
 *
 * A line of the table is `Struct: Member type, …`. `*` is a pointer and `[]` a list, which are null when absent; `map`
 * is a map, `json` a value with its own form; other types are structs of the table. The JSON name follows from the Go
 * name unless it's given after `=`.
 */
import { encodeJsonString } from "../../internal/go/json-encode.ts";
import { asObject, isAbsent, objectAt } from "../objects/fields.ts";
import type { Json, JsonObject } from "../objects/object.ts";

const COMMON = `Name string, Image string, Command []string, Args []string, WorkingDir string,
  Ports []ContainerPort, EnvFrom []EnvFromSource, Env []EnvVar, Resources ResourceRequirements,
  ResizePolicy []ContainerResizePolicy, RestartPolicy *string, RestartPolicyRules []ContainerRestartRule,
  VolumeMounts []VolumeMount, VolumeDevices []VolumeDevice, LivenessProbe *Probe, ReadinessProbe *Probe,
  StartupProbe *Probe, Lifecycle *Lifecycle, TerminationMessagePath string, TerminationMessagePolicy string,
  ImagePullPolicy string, SecurityContext *SecurityContext, Stdin bool, StdinOnce bool, TTY bool`;

const TABLE = `
PodSpec: Volumes []Volume, InitContainers []Container, Containers []Container,
  EphemeralContainers []EphemeralContainer, RestartPolicy string, TerminationGracePeriodSeconds *int,
  ActiveDeadlineSeconds *int, DNSPolicy string, NodeSelector map, ServiceAccountName string,
  AutomountServiceAccountToken *bool, NodeName string, SecurityContext *PodSecurityContext,
  ImagePullSecrets []LocalObjectReference, Hostname string, Subdomain string, SetHostnameAsFQDN *bool,
  Affinity *Affinity, SchedulerName string, Tolerations []Toleration, HostAliases []HostAlias,
  PriorityClassName string, Priority *int, PreemptionPolicy *string, DNSConfig *PodDNSConfig,
  ReadinessGates []PodReadinessGate, RuntimeClassName *string, Overhead map, EnableServiceLinks *bool,
  TopologySpreadConstraints []TopologySpreadConstraint, OS *PodOS, SchedulingGates []PodSchedulingGate,
  ResourceClaims []PodResourceClaim, Resources *ResourceRequirements, HostnameOverride *string,
  SchedulingGroup *PodSchedulingGroup
Container: ${COMMON}
EphemeralContainer: ${COMMON}, TargetContainerName string
ContainerPort: Name string, HostPort int, ContainerPort int, Protocol string, HostIP string
ContainerResizePolicy: ResourceName string, RestartPolicy string
ContainerRestartRule: Action string, ExitCodes *ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes: Operator string, Values []int
EnvFromSource: Prefix string, ConfigMapRef *NamedSource, SecretRef *NamedSource
NamedSource: Name string, Optional *bool
EnvVar: Name string, Value string, ValueFrom *EnvVarSource
EnvVarSource: FieldRef *ObjectFieldSelector, ResourceFieldRef *ResourceFieldSelector,
  ConfigMapKeyRef *KeySelector, SecretKeyRef *KeySelector, FileKeyRef *FileKeySelector
KeySelector: Name string, Key string, Optional *bool
FileKeySelector: VolumeName string, Path string, Key string, Optional *bool
ObjectFieldSelector: APIVersion string, FieldPath string
ResourceFieldSelector: ContainerName string, Resource string, Divisor quantity
ResourceRequirements: Limits map, Requests map, Claims []ResourceClaim
ResourceClaim: Name string, Request string
VolumeMount: Name string, ReadOnly bool, RecursiveReadOnly *string, MountPath string, SubPath string,
  MountPropagation *string, SubPathExpr string
VolumeDevice: Name string, DevicePath string
Probe: Exec *ExecAction, HTTPGet *HTTPGetAction, TCPSocket *TCPSocketAction, GRPC *GRPCAction,
  InitialDelaySeconds int, TimeoutSeconds int, PeriodSeconds int, SuccessThreshold int, FailureThreshold int,
  TerminationGracePeriodSeconds *int
Lifecycle: PostStart *LifecycleHandler, PreStop *LifecycleHandler, StopSignal *string
LifecycleHandler: Exec *ExecAction, HTTPGet *HTTPGetAction, TCPSocket *TCPSocketAction, Sleep *SleepAction
ExecAction: Command []string
HTTPGetAction: Path string, Port int, Host string, Scheme string, HTTPHeaders []HTTPHeader
HTTPHeader: Name string, Value string
TCPSocketAction: Port int, Host string
GRPCAction: Port int, Service *string
SleepAction: Seconds int
SecurityContext: Capabilities *Capabilities, Privileged *bool, SELinuxOptions *SELinuxOptions,
  WindowsOptions *WindowsOptions, RunAsUser *int, RunAsGroup *int, RunAsNonRoot *bool,
  ReadOnlyRootFilesystem *bool, AllowPrivilegeEscalation *bool, ProcMount *string,
  SeccompProfile *Profile, AppArmorProfile *Profile
Capabilities: Add []string, Drop []string
SELinuxOptions: User string, Role string, Type string, Level string
WindowsOptions: GMSACredentialSpecName *string, GMSACredentialSpec *string, RunAsUserName *string, HostProcess *bool
Profile: Type string, LocalhostProfile *string
PodSecurityContext: HostNetwork bool, HostPID bool, HostIPC bool, ShareProcessNamespace *bool, HostUsers *bool,
  SELinuxOptions *SELinuxOptions, WindowsOptions *WindowsOptions, RunAsUser *int, RunAsGroup *int,
  RunAsNonRoot *bool, SupplementalGroups []int, SupplementalGroupsPolicy *string, FSGroup *int,
  FSGroupChangePolicy *string, Sysctls []Sysctl, SeccompProfile *Profile, AppArmorProfile *Profile,
  SELinuxChangePolicy *string
Sysctl: Name string, Value string
LocalObjectReference: Name string
Toleration: Key string, Operator string, Value string, Effect string, TolerationSeconds *int
HostAlias: IP string, Hostnames []string
PodDNSConfig: Nameservers []string, Searches []string, Options []PodDNSConfigOption
PodDNSConfigOption: Name string, Value *string
PodReadinessGate: ConditionType string
TopologySpreadConstraint: MaxSkew int, TopologyKey string, WhenUnsatisfiable string, LabelSelector *json,
  MinDomains *int, NodeAffinityPolicy *string, NodeTaintsPolicy *string, MatchLabelKeys []string
PodOS: Name string
PodSchedulingGate: Name string
PodResourceClaim: Name string, ResourceClaimName *string, ResourceClaimTemplateName *string
PodSchedulingGroup: PodGroupName *string
Affinity: NodeAffinity *NodeAffinity, PodAffinity *PodAffinity, PodAntiAffinity *PodAffinity
NodeAffinity: RequiredDuringSchedulingIgnoredDuringExecution *NodeSelector,
  PreferredDuringSchedulingIgnoredDuringExecution []PreferredSchedulingTerm
NodeSelector: NodeSelectorTerms []NodeSelectorTerm
NodeSelectorTerm: MatchExpressions []NodeSelectorRequirement, MatchFields []NodeSelectorRequirement
NodeSelectorRequirement: Key string, Operator string, Values []string
PreferredSchedulingTerm: Weight int, Preference NodeSelectorTerm
PodAffinity: RequiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm,
  PreferredDuringSchedulingIgnoredDuringExecution []WeightedPodAffinityTerm
PodAffinityTerm: LabelSelector *json, Namespaces []string, TopologyKey string, NamespaceSelector *json,
  MatchLabelKeys []string, MismatchLabelKeys []string
WeightedPodAffinityTerm: Weight int, PodAffinityTerm PodAffinityTerm
Volume: Name string, HostPath *HostPath, EmptyDir *EmptyDir, GCEPersistentDisk *GCEPersistentDisk,
  AWSElasticBlockStore *AWSElasticBlockStore, GitRepo *GitRepo, Secret *SecretVolume, NFS *NFS, ISCSI *ISCSI,
  Glusterfs *Glusterfs, PersistentVolumeClaim *PersistentVolumeClaim, RBD *RBD, Quobyte *Quobyte,
  FlexVolume *FlexVolume, Cinder *Cinder, CephFS=cephfs *CephFS, Flocker *Flocker, DownwardAPI *DownwardAPI,
  FC *FC, AzureFile *AzureFile, ConfigMap *ConfigMapVolume, VsphereVolume *VsphereVolume, AzureDisk *AzureDisk,
  PhotonPersistentDisk *PhotonPersistentDisk, Projected *Projected, PortworxVolume *PortworxVolume,
  ScaleIO *ScaleIO, StorageOS=storageos *StorageOS, CSI *CSI, Ephemeral *Ephemeral, Image *ImageVolume
HostPath: Path string, Type *string
EmptyDir: Medium string, SizeLimit *string
GCEPersistentDisk: PDName string, FSType string, Partition int, ReadOnly bool
AWSElasticBlockStore: VolumeID string, FSType string, Partition int, ReadOnly bool
GitRepo: Repository string, Revision string, Directory string
SecretVolume: SecretName string, Items []KeyToPath, DefaultMode *int, Optional *bool
KeyToPath: Key string, Path string, Mode *int
NFS: Server string, Path string, ReadOnly bool
ISCSI: TargetPortal string, IQN string, Lun int, ISCSIInterface string, FSType string, ReadOnly bool,
  Portals []string, DiscoveryCHAPAuth=chapAuthDiscovery bool, SessionCHAPAuth=chapAuthSession bool,
  SecretRef *LocalObjectReference, InitiatorName *string
Glusterfs: EndpointsName=endpoints string, Path string, ReadOnly bool
PersistentVolumeClaim: ClaimName string, ReadOnly bool
RBD: CephMonitors=monitors []string, RBDImage=image string, FSType string, RBDPool=pool string,
  RadosUser=user string, Keyring string, SecretRef *LocalObjectReference, ReadOnly bool
Quobyte: Registry string, Volume string, ReadOnly bool, User string, Group string, Tenant string
FlexVolume: Driver string, FSType string, SecretRef *LocalObjectReference, ReadOnly bool, Options map
Cinder: VolumeID string, FSType string, ReadOnly bool, SecretRef *LocalObjectReference
CephFS: Monitors []string, Path string, User string, SecretFile string, SecretRef *LocalObjectReference, ReadOnly bool
Flocker: DatasetName string, DatasetUUID string
DownwardAPI: Items []DownwardAPIVolumeFile, DefaultMode *int
DownwardAPIVolumeFile: Path string, FieldRef *ObjectFieldSelector, ResourceFieldRef *ResourceFieldSelector, Mode *int
FC: TargetWWNs []string, Lun *int, FSType string, ReadOnly bool, WWIDs=wwids []string
AzureFile: SecretName string, ShareName string, ReadOnly bool
ConfigMapVolume: Name string, Items []KeyToPath, DefaultMode *int, Optional *bool
VsphereVolume: VolumePath string, FSType string, StoragePolicyName string, StoragePolicyID string
AzureDisk: DiskName string, DataDiskURI=diskURI string, CachingMode *string, FSType *string, ReadOnly *bool, Kind *string
PhotonPersistentDisk: PdID string, FSType string
Projected: Sources []VolumeProjection, DefaultMode *int
VolumeProjection: Secret *Projection, DownwardAPI *DownwardAPIProjection, ConfigMap *Projection,
  ServiceAccountToken *ServiceAccountTokenProjection, ClusterTrustBundle *ClusterTrustBundleProjection,
  PodCertificate *PodCertificateProjection
Projection: Name string, Items []KeyToPath, Optional *bool
DownwardAPIProjection: Items []DownwardAPIVolumeFile
ServiceAccountTokenProjection: Audience string, ExpirationSeconds int, Path string
ClusterTrustBundleProjection: Name *string, SignerName *string, LabelSelector *json, Optional *bool, Path string
PodCertificateProjection: SignerName string, KeyType string, MaxExpirationSeconds *int,
  CredentialBundlePath string, KeyPath string, CertificateChainPath string, UserAnnotations map
PortworxVolume: VolumeID string, FSType string, ReadOnly bool
ScaleIO: Gateway string, System string, SecretRef *LocalObjectReference, SSLEnabled bool, ProtectionDomain string,
  StoragePool string, StorageMode string, VolumeName string, FSType string, ReadOnly bool
StorageOS: VolumeName string, VolumeNamespace string, FSType string, ReadOnly bool, SecretRef *LocalObjectReference
CSI: Driver string, ReadOnly *bool, FSType *string, VolumeAttributes map, NodePublishSecretRef *LocalObjectReference
Ephemeral: VolumeClaimTemplate *json
ImageVolume: Reference string, PullPolicy string
`;

interface Member {
  readonly goName: string;
  readonly name: string;
  readonly type: string;
}

let parsed: ReadonlyMap<string, readonly Member[]> | undefined;

/** Indented JSON of a Pod's specification. */
export function printPodSpec(spec: JsonObject): string {
  const context = objectAt(spec, "securityContext");
  const hosted = ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"];
  const securityContext = context && {
    ...context,
    ...Object.fromEntries(hosted.map((name) => [name, spec[name]])),
  };
  return print({ ...spec, securityContext }, "PodSpec", "");
}

/** The same of another struct of the table. */
export function printShape(value: JsonObject, struct: string): string {
  return print(value, struct, "");
}

function print(value: Json | undefined, type: string, indent: string): string {
  if (type.startsWith("*")) return isAbsent(value) ? "null" : print(value, type.slice(1), indent);
  if (type.startsWith("[]")) return printList(value, type.slice(2), indent);
  if (type === "map" || type === "json") return printJson(value, indent);
  if (type === "string" || type === "bool" || type === "int" || type === "quantity") {
    return isAbsent(value) ? ZEROS[type] : printScalar(value);
  }
  const object = asObject(value);
  const members = shapes().get(type) ?? [];
  return braces(
    "{}",
    members.map(({ goName, name, type: of }) => `"${goName}": ${print(object?.[name], of, `${indent} `)}`),
    indent,
  );
}

const ZEROS = { string: '""', bool: "false", int: "0", quantity: '"0"' } as const;

function printList(value: Json | undefined, type: string, indent: string): string {
  if (!Array.isArray(value)) return "null";
  const items = value as readonly Json[];
  return braces(
    "[]",
    items.map((item) => print(item, type, `${indent} `)),
    indent,
  );
}

function printJson(value: Json | undefined, indent: string): string {
  if (Array.isArray(value)) return printList(value, "json", indent);
  const object = asObject(value);
  if (object === undefined) return isAbsent(value) ? "null" : printScalar(value);
  const members = Object.entries(object)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return braces(
    "{}",
    members.map(([name, member]) => `${encodeJsonString(name)}: ${printJson(member, `${indent} `)}`),
    indent,
  );
}

function printScalar(value: Json): string {
  return typeof value === "string" ? encodeJsonString(value) : JSON.stringify(value);
}

function braces(pair: "{}" | "[]", items: readonly string[], indent: string): string {
  if (items.length === 0) return pair;
  return `${pair[0]}\n${items.map((item) => `${indent} ${item}`).join(",\n")}\n${indent}${pair[1]}`;
}

/** Read on first use: most updates are never refused. */
function shapes(): ReadonlyMap<string, readonly Member[]> {
  parsed ??= new Map(
    TABLE.replaceAll(/\n {2}/g, " ")
      .trim()
      .split("\n")
      .map((line) => {
        const [struct = "", members = ""] = line.split(": ");
        return [struct, members.split(",").map((member) => parseMember(member.trim()))];
      }),
  );
  return parsed;
}

function parseMember(text: string): Member {
  const [names = "", type = ""] = text.split(/\s+/);
  const [goName = "", name = lowerFirst(goName)] = names.split("=");
  return { goName, name, type };
}

/** `DNSPolicy` is `dnsPolicy`, `TTY` is `tty`. */
function lowerFirst(name: string): string {
  return name.replace(/^[A-Z]+(?=[A-Z][a-z])|^[A-Z]+/, (capitals) => capitals.toLowerCase());
}
