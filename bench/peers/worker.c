// SPDX-License-Identifier: MIT
// The least that a worker in C can be: libgearman, libcurl, one job at a time, JSON by printf and strstr.
// libgearman_worker PORT FUNCTION URI
#include <curl/curl.h>
#include <libgearman/gearman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Endpoint {
  CURL* curl;
  char* answer;
  size_t size;
};

static size_t on_answer(char* data, size_t one, size_t count, void* context) {
  struct Endpoint* endpoint = context;
  (void)one;
  char* grown = realloc(endpoint->answer, endpoint->size + count + 1);
  if (!grown) return 0;
  endpoint->answer = grown;
  memcpy(endpoint->answer + endpoint->size, data, count);
  endpoint->size += count;
  endpoint->answer[endpoint->size] = '\0';
  return count;
}

static void* on_job(gearman_job_st* job, void* context, size_t* size, gearman_return_t* result) {
  struct Endpoint* endpoint = context;
  const size_t workload = gearman_job_workload_size(job);
  char* body = malloc(workload + 512);
  char* text = NULL;
  *result = GEARMAN_WORK_FAIL;
  *size = 0;
  if (!body) return NULL;
  const int length = sprintf(body,
                             "{\"function_name\":\"%s\",\"job_handle\":\"%s\",\"unique\":\"%s\",\"workload\":\"%.*s\"}",
                             gearman_job_function_name(job), gearman_job_handle(job), gearman_job_unique(job),
                             (int)workload, (const char*)gearman_job_workload(job));
  endpoint->size = 0;
  curl_easy_setopt(endpoint->curl, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(endpoint->curl, CURLOPT_POSTFIELDSIZE, (long)length);
  if (curl_easy_perform(endpoint->curl) == CURLE_OK && endpoint->size > 0 &&
      strstr(endpoint->answer, "\"gearman_ret\":0")) {
    const char* begin = strstr(endpoint->answer, "\"response_string\":\"");
    const char* end = begin ? strchr(begin += 19, '"') : NULL;
    if (end) {
      *size = (size_t)(end - begin);
      text = malloc(*size + 1);
      if (text) memcpy(text, begin, *size);
      if (text) *result = GEARMAN_SUCCESS;
    }
  }
  free(body);
  return text;  // libgearman frees it
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  struct Endpoint endpoint = {curl_easy_init(), NULL, 0};
  struct curl_slist* headers = curl_slist_append(NULL, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Expect:");
  curl_easy_setopt(endpoint.curl, CURLOPT_URL, argv[3]);
  curl_easy_setopt(endpoint.curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(endpoint.curl, CURLOPT_WRITEFUNCTION, on_answer);
  curl_easy_setopt(endpoint.curl, CURLOPT_WRITEDATA, &endpoint);
  gearman_worker_st* worker = gearman_worker_create(NULL);
  if (gearman_failed(gearman_worker_add_server(worker, "127.0.0.1", (in_port_t)atoi(argv[1])))) return 1;
  gearman_worker_add_function(worker, argv[2], 0, on_job, &endpoint);
  gearman_worker_add_options(worker, GEARMAN_WORKER_GRAB_UNIQ);
  while (gearman_success(gearman_worker_work(worker))) {
  }
  fprintf(stderr, "%s\n", gearman_worker_error(worker));
  return 1;
}
