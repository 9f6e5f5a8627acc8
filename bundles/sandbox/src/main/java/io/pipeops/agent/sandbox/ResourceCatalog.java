package io.pipeops.agent.sandbox;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Everything that the API serves. */
final class ResourceCatalog {
  private static final List<String> ALL_VERBS =
      List.of("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch");
  private static final List<String> REVIEW = List.of("create");
  private static final List<String> READ = List.of("get", "list");

  private final List<ResourceType> types = new ArrayList<>();
  private final Map<String, ResourceType> byPath = new LinkedHashMap<>();

  ResourceCatalog() {
    core();
    Group apps = new Group("apps", "v1");
    apps.add("daemonsets", "DaemonSet", true, "ds", "all", "status");
    apps.add("deployments", "Deployment", true, "deploy", "all", "status scale");
    apps.add("replicasets", "ReplicaSet", true, "rs", "all", "status scale");
    apps.add("statefulsets", "StatefulSet", true, "sts", "all", "status scale");
    apps.add("controllerrevisions", "ControllerRevision", true, "", "", "");
    Group batch = new Group("batch", "v1");
    batch.add("cronjobs", "CronJob", true, "cj", "all", "status");
    batch.add("jobs", "Job", true, "", "all", "status");
    new Group("coordination.k8s.io", "v1").add("leases", "Lease", true, "", "", "");
    new Group("discovery.k8s.io", "v1").add("endpointslices", "EndpointSlice", true, "", "", "");
    Group networking = new Group("networking.k8s.io", "v1");
    networking.add("ingressclasses", "IngressClass", false, "", "", "");
    networking.add("ingresses", "Ingress", true, "ing", "", "status");
    networking.add("networkpolicies", "NetworkPolicy", true, "netpol", "", "");
    Group rbac = new Group("rbac.authorization.k8s.io", "v1");
    rbac.add("clusterrolebindings", "ClusterRoleBinding", false, "", "", "");
    rbac.add("clusterroles", "ClusterRole", false, "", "", "");
    rbac.add("rolebindings", "RoleBinding", true, "", "", "");
    rbac.add("roles", "Role", true, "", "", "");
    new Group("policy", "v1")
        .add("poddisruptionbudgets", "PodDisruptionBudget", true, "pdb", "", "status");
    new Group("autoscaling", "v2")
        .add("horizontalpodautoscalers", "HorizontalPodAutoscaler", true, "hpa", "all", "status");
    new Group("scheduling.k8s.io", "v1")
        .add("priorityclasses", "PriorityClass", false, "pc", "", "");
    new Group("storage.k8s.io", "v1").add("storageclasses", "StorageClass", false, "sc", "", "");
    reviews();
    Group metrics = new Group("metrics.k8s.io", "v1beta1");
    metrics.put("nodes", "NodeMetrics", false, "", "", "", READ);
    metrics.put("pods", "PodMetrics", true, "", "", "", READ);
  }

  private void core() {
    Group core = new Group("", "v1");
    core.add("configmaps", "ConfigMap", true, "cm", "", "");
    core.add("endpoints", "Endpoints", true, "ep", "", "");
    core.add("events", "Event", true, "ev", "", "");
    core.add("limitranges", "LimitRange", true, "limits", "", "");
    core.add("namespaces", "Namespace", false, "ns", "", "status finalize");
    core.add("nodes", "Node", false, "no", "", "status");
    core.add("persistentvolumeclaims", "PersistentVolumeClaim", true, "pvc", "", "status");
    core.add("persistentvolumes", "PersistentVolume", false, "pv", "", "status");
    core.add(
        "pods",
        "Pod",
        true,
        "po",
        "all",
        "status log exec attach portforward eviction proxy ephemeralcontainers");
    core.add("resourcequotas", "ResourceQuota", true, "quota", "", "status");
    core.add("secrets", "Secret", true, "", "", "");
    core.add("serviceaccounts", "ServiceAccount", true, "sa", "", "token");
    core.add("services", "Service", true, "svc", "all", "status proxy");
  }

  private void reviews() {
    Group authentication = new Group("authentication.k8s.io", "v1");
    authentication.put("selfsubjectreviews", "SelfSubjectReview", false, "", "", "", REVIEW);
    authentication.put("tokenreviews", "TokenReview", false, "", "", "", REVIEW);
    Group authorization = new Group("authorization.k8s.io", "v1");
    authorization.put(
        "localsubjectaccessreviews", "LocalSubjectAccessReview", true, "", "", "", REVIEW);
    authorization.put(
        "selfsubjectaccessreviews", "SelfSubjectAccessReview", false, "", "", "", REVIEW);
    authorization.put(
        "selfsubjectrulesreviews", "SelfSubjectRulesReview", false, "", "", "", REVIEW);
    authorization.put("subjectaccessreviews", "SubjectAccessReview", false, "", "", "", REVIEW);
  }

  List<ResourceType> types() {
    return types;
  }

  List<ResourceType> types(String group, String version) {
    return types.stream()
        .filter(type -> type.group().equals(group) && type.version().equals(version))
        .toList();
  }

  /** Named groups with their one version, in the order of the groups' names. */
  Map<String, String> groups() {
    Map<String, String> groups = new java.util.TreeMap<>();
    types.forEach(type -> groups.put(type.group(), type.version()));
    groups.remove("");
    return groups;
  }

  Optional<ResourceType> find(String group, String version, String plural) {
    return Optional.ofNullable(byPath.get(group + "/" + version + "/" + plural));
  }

  /** A type that must be there, such as {@code pods} or {@code deployments.apps}. */
  ResourceType get(String qualified) {
    return types.stream()
        .filter(type -> type.qualified().equals(qualified))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException(qualified));
  }

  /** A type by what an object says of itself. */
  Optional<ResourceType> ofKind(String apiVersion, String kind) {
    return types.stream()
        .filter(type -> type.apiVersion().equals(apiVersion) && type.kind().equals(kind))
        .findFirst();
  }

  private final class Group {
    private final String name;
    private final String version;

    Group(String name, String version) {
      this.name = name;
      this.version = version;
    }

    void add(
        String plural, String kind, boolean namespaced, String shorts, String cats, String subs) {
      put(plural, kind, namespaced, shorts, cats, subs, ALL_VERBS);
    }

    void put(
        String plural,
        String kind,
        boolean namespaced,
        String shorts,
        String categories,
        String subresources,
        List<String> verbs) {
      ResourceType type =
          new ResourceType(
              name,
              version,
              plural,
              kind,
              namespaced,
              words(shorts),
              words(categories),
              Set.copyOf(new TreeSet<>(words(subresources))),
              verbs);
      types.add(type);
      byPath.put(name + "/" + version + "/" + plural, type);
    }

    private static List<String> words(String text) {
      return text.isEmpty() ? List.of() : List.of(text.split(" ", -1));
    }
  }
}
