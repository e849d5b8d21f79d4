"""Reports by the API."""

from jobs.report import Report, Section, Table
from jobs.report.shape import fit
from store.models import RunReport


def test_a_report_is_data_or_a_file_and_has_an_etag(call, db, make_result):
    result = make_result()
    data, _ = fit(Report(Section("S"), Table([[1, "two"]]), title="T").as_data())
    db.add(RunReport(result_id=result.id, data=data, pieces=2))
    db.commit()
    address = f"/results/{result.id}/report"
    answer = call("GET", address)
    assert answer.json == data
    assert call("GET", address, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert call("GET", f"{address}?fields=title").json == {"title": "T"}
    markdown = call("GET", address, headers={"Accept": "text/markdown"})
    assert (markdown.mimetype, markdown.text.split("\n")[0]) == ("text/markdown", "# T")
    csv = call("GET", f"{address}?format=csv")
    assert csv.text == "0,1\r\n1,two\r\n"
    again = call("GET", f"{address}?format=csv", headers={"If-None-Match": csv.headers["ETag"]})
    assert again.status_code == 304
    assert call("GET", f"{address}?format=csv&table=2").status_code == 404
    assert call("GET", f"{address}?format=exe").status_code == 422
