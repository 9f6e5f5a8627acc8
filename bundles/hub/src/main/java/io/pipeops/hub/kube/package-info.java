/**
 * The Kubernetes API of each cluster, at {@code /k8s/clusters/{id}/…}: who may call it, what of a
 * request reaches the cluster, and how the answer comes back, also where a connection becomes a
 * WebSocket. {@link io.pipeops.hub.kube.KubeHandler} is the way in.
 */
package io.pipeops.hub.kube;
