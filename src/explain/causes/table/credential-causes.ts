import type { Cause } from "../cause.ts";

const DENIED =
  "ErrImagePull: failed to resolve image: pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials";
const REFUSED =
  "ErrImagePull: failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 401 Unauthorized";
const UNRETRIEVED =
  "FailedToRetrieveImagePullSecret: Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.";

export type CredentialCauseCode =
  | "NO_CREDENTIALS"
  | "CREDENTIAL_NOT_MATCHED"
  | "CREDENTIAL_HOST_MISMATCH"
  | "CREDENTIAL_REFUSED"
  | "CREDENTIAL_BLANK"
  | "CREDENTIAL_EXPIRED"
  | "SCOPE_SHORT"
  | "ACCESS_DENIED"
  | "SECRET_MISSING"
  | "SECRET_OTHER_NAMESPACE"
  | "SECRET_WRONG_TYPE"
  | "SECRET_KEY_MISSING"
  | "SECRET_EMPTY"
  | "SECRET_BROKEN"
  | "SECRET_UNSEEN"
  | "SECRET_NOT_REFERENCED"
  | "ACCOUNT_SECRETS_IGNORED"
  | "PROVIDER_FAILED"
  | "PROVIDER_EMPTY"
  | "PROVIDER_NOT_MATCHED"
  | "NODE_FILE_BROKEN";

/** Who the node is to the registry. */
export const CREDENTIAL_CAUSES: Readonly<Record<CredentialCauseCode, Cause>> = {
  NO_CREDENTIALS: {
    title: "The registry wants to know who asks, and nobody says",
    exit: 4,
    symptoms: [DENIED],
    story:
      "Neither the Pod nor its ServiceAccount names a pull secret, and the node has no credentials for this registry. A login with `docker login` on your machine doesn't count: the node is another machine. Some registries answer the same for a repository that doesn't exist.",
    see: "`kubectl get pod NAME -o jsonpath='{.spec.imagePullSecrets}'` is empty.",
    fix: "Make a Secret of type `kubernetes.io/dockerconfigjson` in the Pod's namespace and name it in the ServiceAccount or the Pod.",
    example: "no-credentials",
  },
  CREDENTIAL_NOT_MATCHED: {
    title: "There are credentials, and none is for this repository",
    exit: 4,
    symptoms: [DENIED],
    story:
      "Entries of pull secrets are for a registry and, where they have a path, for what lies below it. The host fits here and the path doesn't, so the node asks without a name.",
    see: "The explanation lists every entry and what kept it from matching.",
    fix: "Make the entry's key the registry alone, or the path that the repository really begins with.",
    example: "credential-not-matched",
  },
  CREDENTIAL_HOST_MISMATCH: {
    title: "There are credentials, and they are for another host",
    exit: 4,
    symptoms: [DENIED],
    story:
      "The keys of a pull secret are compared with the image's registry label by label, and ports must be equal: `registry.example.com` isn't `registry.example.com:5000`, `*.example.com` isn't `eu.registry.example.com`, and Docker Hub is `https://index.docker.io/v1/`.",
    see: "The explanation lists every entry with the label or port that differs.",
    fix: "Write the image's registry, port included, as the key (`--docker-server`).",
    example: "credential-host-mismatch",
  },
  CREDENTIAL_REFUSED: {
    title: "The registry refuses the credentials",
    exit: 4,
    symptoms: [
      REFUSED,
      "ErrImagePull: failed to fetch oauth token: unexpected status from GET request: 401 Unauthorized",
    ],
    story:
      "An entry matched and was shown, and the registry, or its token service, says no: wrong user or password, or a robot account that was deleted. When several entries match, each is tried, and there is no attempt without a name after that; so a wrong Secret keeps even a public image from coming where the registry refuses wrong logins.",
    see: "`dray login -u USER REGISTRY` with the same password.",
    fix: "Put the right password into the Secret. Running Pods aren't disturbed; waiting ones take it at their next attempt.",
    example: "credential-refused",
  },
  CREDENTIAL_BLANK: {
    title: "The entry that fits holds no user and no password",
    exit: 4,
    symptoms: [DENIED],
    story:
      "Nodes read `username`, `password` and `auth` of an entry and nothing else. Where Docker keeps logins in the machine's keychain (`credsStore`, `credHelpers`), its `config.json` has empty entries, and a Secret made of that file opens nothing. Entries with an `identitytoken` or `registrytoken` alone are as good as empty, too.",
    see: "`kubectl get secret NAME -o jsonpath='{.data.\\.dockerconfigjson}' | base64 -d`, on a screen that nobody else sees.",
    fix: "Make the Secret from a user and a password (`kubectl create secret docker-registry`) and not from Docker's file.",
    example: "credential-blank",
  },
  CREDENTIAL_EXPIRED: {
    title: "The credential's time is over",
    exit: 4,
    symptoms: [
      REFUSED,
      "ErrImagePull: denied: Your authorization token has expired. Reauthenticate and try again.",
    ],
    story:
      "Cloud registries give passwords that last for hours: 12 at ECR, 1 at Artifact Registry and ACR. One that was put into a Secret works until then and not after.",
    see: "The explanation reads the end out of passwords that are tokens, and the registry often says so.",
    fix: "Let something renew it: a credential provider on the nodes, or a controller that writes the Secret anew.",
    example: "credential-expired",
  },
  SCOPE_SHORT: {
    title: "The registry knows who asks, and they may not pull this",
    exit: 4,
    symptoms: [
      "ErrImagePull: unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 403 Forbidden",
      "insufficient_scope: authorization failed",
    ],
    story:
      "The login is right, but the account has no right to pull from this repository: the token service granted less than was asked, or the registry answered 403.",
    see: "The explanation shows the scopes asked and granted.",
    fix: "Grant the account pull (read) on the repository, or use one that has it.",
    example: "scope-short",
  },
  ACCESS_DENIED: {
    title: "The registry refuses to serve this",
    exit: 4,
    symptoms: [
      "ErrImagePull: unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 403 Forbidden",
    ],
    story:
      "Asked without credentials, the registry answers 403 and not \"who are you?\": an address that isn't allowed, a country rule, a blocked repository, a policy of the registry about vulnerable images, or a gateway in front of it. Or it wants a login that no node has, such as `Negotiate` or `NTLM`, or answers 401 without saying how to log in: then credentials aren't even shown.",
    see: "The body of the answer, which the explanation quotes, usually says why.",
    fix: "Ask whoever runs the registry or the gateway. Give a pull secret if the repository is private.",
    example: "access-denied",
  },
  SECRET_MISSING: {
    title: "A pull secret that the Pod names isn't there",
    exit: 4,
    symptoms: [UNRETRIEVED, DENIED],
    story:
      "A missing Secret isn't an error by itself: the node goes on with the others, or without any, and a public image still comes. A Secret counts only in the Pod's own namespace.",
    see: "`kubectl get secret -n NAMESPACE`",
    fix: "Create the Secret under this name in the Pod's namespace, or correct the name.",
    example: "secret-missing",
  },
  SECRET_OTHER_NAMESPACE: {
    title: "The pull secret is in another namespace",
    exit: 4,
    symptoms: [UNRETRIEVED, DENIED],
    story: "Secrets are never read across namespaces. One of this name exists, elsewhere.",
    see: "`kubectl get secret -A --field-selector metadata.name=NAME`",
    fix: "Copy the Secret into the Pod's namespace.",
    example: "secret-other-namespace",
  },
  SECRET_WRONG_TYPE: {
    title: "The pull secret is of a type that nodes pass over",
    exit: 4,
    symptoms: [DENIED],
    story:
      "Only `kubernetes.io/dockerconfigjson` and `kubernetes.io/dockercfg` count. An `Opaque` Secret is passed over without a word, whatever its keys are called. With type `dockercfg` the entries stand by themselves, without `auths` around them: a `config.json` under that type opens nothing.",
    see: "`kubectl get secret NAME -o jsonpath='{.type}'`",
    fix: "A Secret's type can't be changed: delete it and create it with `kubectl create secret docker-registry`.",
    example: "secret-wrong-type",
  },
  SECRET_KEY_MISSING: {
    title: "The pull secret lacks the key of its type",
    exit: 4,
    symptoms: [DENIED],
    story:
      "A Secret of type `kubernetes.io/dockerconfigjson` keeps its document under `.dockerconfigjson`, one of type `kubernetes.io/dockercfg` under `.dockercfg`. Without it, or with an empty one, it is passed over.",
    see: "`kubectl describe secret NAME` lists the keys and their lengths.",
    fix: "Create it anew with `kubectl create secret docker-registry`.",
    example: "secret-key-missing",
  },
  SECRET_EMPTY: {
    title: "The pull secret holds no credentials",
    exit: 4,
    symptoms: [DENIED],
    story:
      "The document can be read and has no entry: `{}`, or `auths` spelled otherwise. One made from a `config.json` with `credsStore` is empty, since Docker keeps its passwords elsewhere.",
    see: "`kubectl get secret NAME -o jsonpath='{.data.\\.dockerconfigjson}' | base64 -d`",
    fix: "Create it with user and password rather than from a file.",
    example: "secret-empty",
  },
  SECRET_BROKEN: {
    title: "The pull secret can't be read",
    exit: 4,
    symptoms: ["unexpected end of JSON input", "illegal base64 data at input byte 4"],
    story:
      "The document isn't JSON of the right shape, or an `auth` isn't base64 of `user:password`. One broken Secret spoils all of the Pod's credentials: nothing is tried, and its text is the reason that the Pod shows.",
    see: "Decode it: `kubectl get secret NAME -o jsonpath='{.data.\\.dockerconfigjson}' | base64 -d`.",
    fix: "Create it anew with `kubectl create secret docker-registry`.",
    example: "secret-broken",
  },
  SECRET_UNSEEN: {
    title: "The Pod's pull secrets couldn't be looked at",
    exit: 4,
    symptoms: [],
    story:
      "The Pod names pull secrets that you may not read, or that weren't among the files given. What the node finds in them isn't known here, so this look was one without them.",
    see: "`kubectl auth can-i get secrets -n NAMESPACE`",
    fix: "Explain it with the Secret's file beside the others, or as somebody who may read it.",
    example: "secret-unseen",
  },
  SECRET_NOT_REFERENCED: {
    title: "A fitting Secret is there, and nobody names it",
    exit: 4,
    symptoms: [DENIED],
    story:
      "The namespace has a pull secret for this registry, but neither the Pod nor its ServiceAccount lists it. Secrets aren't found by what they hold.",
    see: "The Pod's `imagePullSecrets` and its ServiceAccount's.",
    fix: "Name it in the ServiceAccount; Pods made from then on have it.",
    example: "secret-not-referenced",
  },
  ACCOUNT_SECRETS_IGNORED: {
    title: "The ServiceAccount's pull secrets don't count beside the Pod's own",
    exit: 4,
    symptoms: [REFUSED],
    story:
      "A Pod that names any pull secret of its own gets none of its ServiceAccount's: the lists are never merged. The account has one that would fit.",
    see: "`kubectl get serviceaccount NAME -o jsonpath='{.imagePullSecrets}'`",
    fix: "Name all Secrets in the Pod, or none.",
    example: "account-secrets-ignored",
  },
  PROVIDER_FAILED: {
    title: "A credential provider of the node failed",
    exit: 4,
    symptoms: [DENIED],
    story:
      "The node runs a program that gives credentials for registries like this one, and it ended badly, took longer than a minute, or answered something that isn't an answer. The node goes on as if it had said nothing.",
    see: "The kubelet's log: `Failed to provide credentials for image`.",
    fix: "Run the program by hand with the request on its stdin; see to its own credentials and network.",
    example: "provider-failed",
  },
  PROVIDER_EMPTY: {
    title: "A credential provider has nothing for this image",
    exit: 4,
    symptoms: [DENIED],
    story:
      "The program ran and ended well, and its answer has no entry that fits the image: its `auth` is empty, or its keys are for another host, port or path. Keys of answers are compared like those of pull secrets.",
    see: "The explanation lists the answer's keys and what kept them from matching, never what they hold.",
    fix: "Run the program by hand with the request on its stdin and look at the keys of its answer; give its account access to the registry.",
    example: "provider-empty",
  },
  PROVIDER_NOT_MATCHED: {
    title: "No credential provider is set up for this registry",
    exit: 4,
    symptoms: [DENIED],
    story:
      "The node has credential providers, and no `matchImages` of theirs fits the image: globs match one label each, and ports must be equal.",
    see: "`--image-credential-provider-config` of the kubelet.",
    fix: "Add a pattern for the registry to the provider's `matchImages`.",
    example: "provider-not-matched",
  },
  NODE_FILE_BROKEN: {
    title: "The node's credential file can't be read",
    exit: 4,
    symptoms: [DENIED],
    story:
      "`config.json` or `.dockercfg` where the kubelet looks for it isn't a document it can read. It is passed over without an event.",
    see: "`/var/lib/kubelet/config.json`, `/root/.docker/config.json` on the node.",
    fix: "Mend the JSON, or remove the file.",
    example: "node-file-broken",
  },
};
