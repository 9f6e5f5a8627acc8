/**
 * The cluster the agent serves. {@link io.pipeops.agent.kubernetes.ClusterAccess} finds the API
 * server and publishes it; everything else in here builds on it: the state store, the credentials
 * that registration reports, the check whether the API answers, and the typed client for features
 * that need one.
 */
package io.pipeops.agent.kubernetes;
