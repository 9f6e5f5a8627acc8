package io.pipeops.agent.sandbox;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Endpoints;
import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.LimitRange;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.PersistentVolume;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.ResourceQuota;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.apps.ControllerRevision;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.apps.ReplicaSet;
import io.fabric8.kubernetes.api.model.apps.StatefulSet;
import io.fabric8.kubernetes.api.model.authentication.SelfSubjectReview;
import io.fabric8.kubernetes.api.model.authentication.TokenReview;
import io.fabric8.kubernetes.api.model.authorization.v1.LocalSubjectAccessReview;
import io.fabric8.kubernetes.api.model.authorization.v1.SelfSubjectAccessReview;
import io.fabric8.kubernetes.api.model.authorization.v1.SelfSubjectRulesReview;
import io.fabric8.kubernetes.api.model.authorization.v1.SubjectAccessReview;
import io.fabric8.kubernetes.api.model.autoscaling.v2.HorizontalPodAutoscaler;
import io.fabric8.kubernetes.api.model.batch.v1.CronJob;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.api.model.metrics.v1beta1.NodeMetrics;
import io.fabric8.kubernetes.api.model.metrics.v1beta1.PodMetrics;
import io.fabric8.kubernetes.api.model.networking.v1.Ingress;
import io.fabric8.kubernetes.api.model.networking.v1.IngressClass;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.rbac.ClusterRole;
import io.fabric8.kubernetes.api.model.rbac.ClusterRoleBinding;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import io.fabric8.kubernetes.api.model.scheduling.v1.PriorityClass;
import io.fabric8.kubernetes.api.model.storage.StorageClass;

/** Which class of the client library models a kind; its fields are the kind's fields. */
final class ModelClasses {
  private ModelClasses() {}

  /** A class is loaded only when its kind is asked for. */
  static Class<?> of(ResourceType type) {
    return switch (type.kind()) {
      case "ClusterRole" -> ClusterRole.class;
      case "ClusterRoleBinding" -> ClusterRoleBinding.class;
      case "ConfigMap" -> ConfigMap.class;
      case "ControllerRevision" -> ControllerRevision.class;
      case "CronJob" -> CronJob.class;
      case "DaemonSet" -> DaemonSet.class;
      case "Deployment" -> Deployment.class;
      case "EndpointSlice" -> EndpointSlice.class;
      case "Endpoints" -> Endpoints.class;
      case "Event" -> Event.class;
      case "HorizontalPodAutoscaler" -> HorizontalPodAutoscaler.class;
      case "Ingress" -> Ingress.class;
      case "IngressClass" -> IngressClass.class;
      case "Job" -> Job.class;
      case "Lease" -> Lease.class;
      case "LimitRange" -> LimitRange.class;
      case "LocalSubjectAccessReview" -> LocalSubjectAccessReview.class;
      case "Namespace" -> Namespace.class;
      case "NetworkPolicy" -> NetworkPolicy.class;
      case "Node" -> Node.class;
      case "NodeMetrics" -> NodeMetrics.class;
      case "PersistentVolume" -> PersistentVolume.class;
      case "PersistentVolumeClaim" -> PersistentVolumeClaim.class;
      case "Pod" -> Pod.class;
      case "PodDisruptionBudget" -> PodDisruptionBudget.class;
      case "PodMetrics" -> PodMetrics.class;
      case "PriorityClass" -> PriorityClass.class;
      case "ReplicaSet" -> ReplicaSet.class;
      case "ResourceQuota" -> ResourceQuota.class;
      case "Role" -> Role.class;
      case "RoleBinding" -> RoleBinding.class;
      case "Secret" -> Secret.class;
      case "SelfSubjectAccessReview" -> SelfSubjectAccessReview.class;
      case "SelfSubjectReview" -> SelfSubjectReview.class;
      case "SelfSubjectRulesReview" -> SelfSubjectRulesReview.class;
      case "Service" -> Service.class;
      case "ServiceAccount" -> ServiceAccount.class;
      case "StatefulSet" -> StatefulSet.class;
      case "StorageClass" -> StorageClass.class;
      case "SubjectAccessReview" -> SubjectAccessReview.class;
      case "TokenReview" -> TokenReview.class;
      default -> throw new IllegalArgumentException("no model of " + type.kind());
    };
  }
}
