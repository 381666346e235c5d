"""Addresses of runs: their pages, and what people do to them."""

from __future__ import annotations

from django.urls import path

from runs import notice_views, outgoing_views, pages, trial_views, turn_views, views

app_name = "runs"
urlpatterns = [
    path("threads/<int:thread_id>/messages/", views.send, name="send"),
    path("runs/<int:run_id>/stop/", views.stop, name="stop"),
    path("runs/<int:run_id>/retry/", turn_views.retry, name="retry"),
    path("runs/<int:run_id>/try-now/", views.try_now, name="try_now"),
    path("runs/<int:run_id>/last-messages/", turn_views.begin_anew, name="begin_anew"),
    path("runs/<int:run_id>/mark-done/", views.mark_done, name="mark_done"),
    path("messages/<int:message_id>/edit/", turn_views.edit, name="edit"),
    path("messages/<int:message_id>/continue/", turn_views.go_on, name="continue"),
    path("queue/<int:message_id>/remove/", views.remove_queued, name="remove_queued"),
    path("queue/<int:message_id>/edit/", views.edit_queued, name="edit_queued"),
    path("queue/<int:message_id>/send-now/", views.send_now, name="send_now"),
    path("agents/<int:agent_id>/run/", views.run_agent_now, name="run_agent_now"),
    path("agents/try/", trial_views.try_agent, name="try_new"),
    path("agents/<int:agent_id>/try/", trial_views.try_agent, name="try_agent"),
    path("trials/<int:thread_id>/start-over/", trial_views.start_over, name="start_over"),
    path("inbox/", notice_views.inbox, name="inbox"),
    path("inbox/news/", notice_views.news, name="news"),
    path("inbox/all-done/", notice_views.all_done, name="all_done"),
    path("inbox/<int:pk>/done/", notice_views.done, name="done"),
    path("runs/", pages.run_list, name="list"),
    path("runs/<int:pk>/", pages.run_detail, name="detail"),
    path("runs/<int:pk>/compare/", pages.compare_runs, name="compare"),
    path("runs/<int:pk>/steps/<int:index>/", pages.step_detail, name="step"),
]

home_patterns = [path("", pages.home, name="home")]
settings_patterns = [
    path("notices/", notice_views.choose, name="notices"),
    path("notices/webhooks/new/", outgoing_views.new_hook, name="new_hook"),
    path("notices/webhooks/<int:pk>/", outgoing_views.hook, name="hook"),
    path("notices/webhooks/<int:pk>/test/", outgoing_views.try_it, name="try_hook"),
    path("notices/webhooks/<int:pk>/new-secret/", outgoing_views.rotate, name="rotate_hook"),
    path("notices/webhooks/<int:pk>/switch/", outgoing_views.switch, name="switch_hook"),
    path("notices/webhooks/<int:pk>/remove/", outgoing_views.remove, name="remove_hook"),
    path("notices/sent/", outgoing_views.deliveries, name="deliveries"),
    path("notices/sent/<int:pk>/again/", outgoing_views.again, name="send_again"),
]
